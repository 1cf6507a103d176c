// The connection to the server: one WebSocket, reopened whenever it breaks.

const MIN_BACK_OFF_MS = 400;
const MAX_BACK_OFF_MS = 5000;

/** Send and receive messages. Events: `open`, `lost` (detail: how often in a row), `rejected`, `message` (JSON), `picture` (Blob), `snapshot`. */
export class Connection extends EventTarget {
  #socket = null;
  #failures = 0;
  #retryNow = null;

  /** Connect, and stay connected. */
  open() {
    const socket = new WebSocket(new URL("live", location.href.replace(/^http/, "ws")));
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.#onData(data);
    socket.onclose = ({ code }) => this.#onClose(code);
    this.#socket = socket;
    addEventListener("online", () => this.#retryNow?.(), { once: true });
  }

  get ready() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Bytes that have not left yet: more than a picture's worth means the connection is slow. */
  get queuedBytes() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  send(type, fields = {}) {
    if (this.ready) this.#socket.send(JSON.stringify({ type, ...fields }));
  }

  sendBytes(bytes) {
    if (this.ready) this.#socket.send(bytes);
  }

  #onData(data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.type === "hello") {
        this.#failures = 0;
        this.#emit("open", message);
      } else this.#emit("message", message);
      return;
    }
    const png = new Uint8Array(data, 0, 1)[0] === 0x89;
    this.#emit(png ? "snapshot" : "picture", new Blob([data], { type: png ? "image/png" : "image/jpeg" }));
  }

  async #onClose(code) {
    if (code === 1008) return this.#emit("rejected"); // the token is no longer valid
    this.#failures += 1;
    this.#emit("lost", { times: this.#failures, full: code === 1013 });
    const backOff = Math.min(MIN_BACK_OFF_MS * 2 ** (this.#failures - 1), MAX_BACK_OFF_MS);
    await new Promise((resolve) => {
      this.#retryNow = resolve;
      setTimeout(resolve, backOff);
    });
    this.open();
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
