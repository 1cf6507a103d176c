// Sends the camera's pictures over the WebSocket, as JPEG.

const MAX_QUEUED_BYTES = 200_000;
const QUALITY = 0.85;

export class Upload {
  #abort = new AbortController();

  constructor(camera, connection, sendWindow) {
    let busy = false;
    const offer = ({ detail: clock }) => {
      if (busy || connection.queuedBytes > MAX_QUEUED_BYTES || !sendWindow.take(clock)) return;
      busy = true;
      const send = async (blob) => {
        if (blob && !this.#abort.signal.aborted) connection.sendBytes(await blob.arrayBuffer());
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
