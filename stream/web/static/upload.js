// Sends the camera's pictures over the WebSocket, as JPEG.

const MOST_WAITING_BYTES = 200_000;
const QUALITY = 0.85;

export class Upload {
  #abort = new AbortController();

  constructor(camera, line, pace) {
    let busy = false;
    const offer = ({ detail: clock }) => {
      if (busy || line.waiting > MOST_WAITING_BYTES || !pace.take(clock)) return;
      busy = true;
      const send = async (blob) => {
        if (blob && !this.#abort.signal.aborted) line.send(await blob.arrayBuffer());
        busy = false;
      };
      camera.canvas.toBlob(send, "image/jpeg", QUALITY);
    };
    camera.addEventListener("frame", offer, { signal: this.#abort.signal });
  }

  close() {
    this.#abort.abort();
  }
}
