// Draws what has come: one picture, two of them beside each other, or one wiped over the other.

import { readStamp, stripOf } from "./stamp.js";

export class Stage {
  /** "composite", "beside", "wipe" or "raw". */
  layout = "composite";
  /** Where the wipe is, 0 (all raw) to 1 (all dressed). */
  wipe = 0.5;
  #context;

  constructor(canvas) {
    this.#context = canvas.getContext("2d", { alpha: false });
  }

  /** The panels the server is to send for this layout. */
  get panels() {
    return { composite: ["composite"], raw: ["raw"] }[this.layout] ?? ["raw", "composite"];
  }

  /** Draw a stamped picture; returns its stamp, null where it has none. */
  show(picture, width, height) {
    const stamp = readStamp(picture, width, height);
    if (!stamp) return null;
    const panels = Math.max(stamp.panels, 1);
    const size = [width / panels, height - stripOf(height)];
    if (panels === 2 && this.layout === "wipe") this.#wiped(picture, size);
    else if (panels === 2) this.#beside(picture, size);
    else this.#alone(picture, size);
    return stamp;
  }

  #fit(width, height) {
    const { canvas } = this.#context;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  }

  #alone(picture, [width, height]) {
    this.#fit(width, height);
    this.#context.drawImage(picture, 0, 0, width, height, 0, 0, width, height);
  }

  #beside(picture, [width, height]) {
    const box = this.#context.canvas.parentElement;
    const stacked = box.clientHeight > box.clientWidth;
    this.#fit(stacked ? width : 2 * width, stacked ? 2 * height : height);
    this.#context.drawImage(picture, 0, 0, width, height, 0, 0, width, height);
    this.#context.drawImage(picture, width, 0, width, height, stacked ? 0 : width, stacked ? height : 0, width, height);
  }

  #wiped(picture, [width, height]) {
    this.#fit(width, height);
    const at = Math.round(this.wipe * width);
    this.#context.drawImage(picture, 0, 0, width, height, 0, 0, width, height);
    if (at > 0) this.#context.drawImage(picture, width, 0, at, height, 0, 0, at, height);
    this.#context.fillStyle = "#fff";
    this.#context.fillRect(at - 1, 0, 2, height);
  }
}
