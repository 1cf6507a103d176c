// The visitor's own camera: opened, mirrored, stamped, and drawn into a canvas that is sent; errors say what to do.

import { putStamp, stampedHeight } from "./stamp.js";

const CAUSES = {
  NotAllowedError:
    "Your browser has not allowed the camera. Click the camera or lock symbol beside the address, allow the camera, and it starts by itself.",
  NotFoundError: "No camera was found. Plug one in or switch it on, and it starts by itself.",
  NotReadableError: "The camera is in use by another program. Close that program; it is tried again by itself.",
  OverconstrainedError: "This camera cannot give a usable picture. Try another one.",
};
const INSECURE =
  "Browsers lend the camera to secure pages only. Open this page as https://, or on the computer it runs on as http://127.0.0.1.";

/** Why the camera could not be opened, for a person. */
export class CameraError extends Error {}

/** The camera. Events: `frame` (detail: clock in ms) for every new picture in `canvas`, and `ended`. */
export class Camera extends EventTarget {
  canvas = document.createElement("canvas");
  mirrored = true;
  #video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  #stream = null;
  #context = this.canvas.getContext("2d", { alpha: false });

  get on() {
    return this.#stream !== null;
  }

  async open([width, height], rate) {
    if (!navigator.mediaDevices?.getUserMedia) throw new CameraError(INSECURE);
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: rate }, facingMode: "user" },
      });
    } catch (error) {
      throw new CameraError(CAUSES[error.name] ?? `The camera cannot be opened (${error.message}).`);
    }
    this.close();
    this.#stream = stream;
    stream.getVideoTracks()[0].onended = () => {
      this.close();
      this.dispatchEvent(new Event("ended"));
    };
    this.#video.srcObject = stream;
    await this.#video.play();
    this.#most = width * height;
    this.#next();
  }

  #most = 0;

  close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#video.srcObject = null;
  }

  #next() {
    this.#video.requestVideoFrameCallback((now, { captureTime }) => {
      if (!this.on) return;
      this.#draw(captureTime && captureTime <= now && now - captureTime < 1000 ? captureTime : now);
      this.#next();
    });
  }

  #draw(clock) {
    const { videoWidth, videoHeight } = this.#video;
    const scale = Math.min(1, Math.sqrt(this.#most / (videoWidth * videoHeight)));
    const width = 2 * Math.floor((videoWidth * scale) / 2);
    const height = 2 * Math.floor((videoHeight * scale) / 2);
    if (width < 64 || height < 64) return;
    if (this.canvas.width !== width || this.canvas.height !== stampedHeight(height))
      Object.assign(this.canvas, { width, height: stampedHeight(height) });
    this.#context.setTransform(this.mirrored ? -1 : 1, 0, 0, 1, this.mirrored ? width : 0, 0);
    this.#context.drawImage(this.#video, 0, 0, width, height);
    this.#context.resetTransform();
    putStamp(this.#context, clock);
    this.dispatchEvent(new CustomEvent("frame", { detail: clock }));
  }
}

/** Calls `retry` when it may work now: the permission was changed, a device has come, or a moment has passed. */
export async function whenUsable(retry) {
  const trying = new AbortController();
  const again = () => {
    trying.abort();
    retry();
  };
  const { signal } = trying;
  navigator.mediaDevices?.addEventListener("devicechange", again, { signal });
  try {
    const permission = await navigator.permissions.query({ name: "camera" });
    permission.addEventListener("change", () => permission.state === "granted" && again(), { signal });
    if (permission.state === "granted" && !signal.aborted) setTimeout(() => signal.aborted || again(), 3000);
  } catch {
    // a browser that cannot be asked: the button stays
  }
  return trying;
}
