// The line to the server: one WebSocket, opened anew whenever it breaks.

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 5000;

/** Say and hear things. Events: `open`, `lost` (detail: how often in a row), `refused`, `said` (JSON), `picture` (Blob), `snapshot`. */
export class Line extends EventTarget {
  #socket = null;
  #failures = 0;
  #wake = null;

  /** Connect, and stay connected. */
  open() {
    const socket = new WebSocket(new URL("live", location.href.replace(/^http/, "ws")));
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onclose = ({ code }) => this.#lost(code);
    this.#socket = socket;
    addEventListener("online", () => this.#wake?.(), { once: true });
  }

  get ready() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Bytes that have not left yet: more than a picture's worth means the line is slow. */
  get waiting() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  say(word, rest = {}) {
    if (this.ready) this.#socket.send(JSON.stringify({ say: word, ...rest }));
  }

  send(bytes) {
    if (this.ready) this.#socket.send(bytes);
  }

  #hear(data) {
    if (typeof data === "string") {
      const said = JSON.parse(data);
      if (said.say === "hello") {
        this.#failures = 0;
        this.#tell("open", said);
      } else this.#tell("said", said);
      return;
    }
    const png = new Uint8Array(data, 0, 1)[0] === 0x89;
    this.#tell(png ? "snapshot" : "picture", new Blob([data], { type: png ? "image/png" : "image/jpeg" }));
  }

  async #lost(code) {
    if (code === 1008) return this.#tell("refused"); // the token is no longer right
    this.#failures += 1;
    this.#tell("lost", { times: this.#failures, full: code === 1013 });
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
    await new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, pause);
    });
    this.open();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
