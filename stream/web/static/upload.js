// Sends the camera's pictures over the WebSocket: the newest, and never more than the pipeline gives back.

import { CLOCK_MS, since } from "./stamp.js";

const UNDER_WAY = 3;
const LOST_MS = 1000;
const QUALITY = 0.85;

export class Upload {
  #camera;
  #line;
  #under = [];
  #busy = false;
  #abort = new AbortController();

  constructor(camera, line) {
    this.#camera = camera;
    this.#line = line;
    camera.addEventListener("frame", ({ detail }) => this.#offer(detail), { signal: this.#abort.signal });
  }

  /** The picture stamped `clock` has come back: it and those before it are under way no more. */
  returned(clock) {
    this.#under = this.#under.filter((sent) => since(clock, sent) > 0);
  }

  close() {
    this.#abort.abort();
  }

  #offer(clock) {
    this.#under = this.#under.filter((sent) => since(sent, performance.now()) < LOST_MS);
    if (this.#busy || this.#under.length >= UNDER_WAY || this.#line.waiting > 200_000) return;
    this.#busy = true;
    this.#under.push(Math.round(clock) % CLOCK_MS);
    this.#camera.canvas.toBlob(
      async (blob) => {
        if (blob && !this.#abort.signal.aborted) this.#line.send(await blob.arrayBuffer());
        this.#busy = false;
      },
      "image/jpeg",
      QUALITY,
    );
  }
}
