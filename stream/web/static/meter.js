// Frames a second and delay, as numbers and as a graph of the last minute.

const KEPT_MS = 60_000;
const RECENT_MS = 10_000;

export class Meter {
  /** Pictures shown so far. */
  shown = 0;
  #samples = [];
  #context;
  #out;

  /** `out`: the elements for `rate`, `median`, `worst`; `canvas` for the graph. */
  constructor(canvas, out) {
    this.#context = canvas.getContext("2d");
    this.#out = out;
    setInterval(() => this.#show(), 500);
  }

  /** A picture was shown, `delay` ms after it was taken. */
  record(delay) {
    this.shown += 1;
    this.#samples.push({ at: performance.now(), delay: Math.max(delay, 0) });
  }

  clear() {
    this.#samples = [];
  }

  /** {rate, median, worst} of late: frames a second, and the delay's 50th and 95th percentiles in ms. */
  get figures() {
    const now = performance.now();
    const recent = this.#samples.filter(({ at }) => now - at < RECENT_MS);
    const second = recent.filter(({ at }) => now - at < 2000);
    const delays = recent.map(({ delay }) => delay).sort((a, b) => a - b);
    const at = (share) => delays[Math.min(Math.floor(share * delays.length), delays.length - 1)];
    return { rate: second.length / 2, median: at(0.5), worst: at(0.95) };
  }

  #show() {
    const now = performance.now();
    this.#samples = this.#samples.filter(({ at }) => now - at < KEPT_MS);
    const { rate, median, worst } = this.figures;
    this.#out.rate.textContent = rate ? rate.toFixed(0) : "–";
    this.#out.median.textContent = median === undefined ? "–" : median.toFixed(0);
    this.#out.worst.textContent = worst === undefined ? "–" : worst.toFixed(0);
    this.#draw(now);
    const spoken = rate ? `${rate.toFixed(0)} frames a second, delay ${median.toFixed(0)} milliseconds` : "no picture";
    this.#context.canvas.setAttribute("aria-label", `The last minute: ${spoken}`);
  }

  #draw(now) {
    const { canvas } = this.#context;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const style = getComputedStyle(canvas);
    const ink = style.color;
    const top = Math.max(200, ...this.#samples.map(({ delay }) => Math.min(delay, 1000))) * 1.15;
    const y = (value) => height - (height - 14 * ratio) * Math.min(value / top, 1) - 1;
    const x = (at) => width * (1 - (now - at) / KEPT_MS);
    this.#context.clearRect(0, 0, width, height);
    this.#context.strokeStyle = this.#context.fillStyle = ink;
    this.#context.globalAlpha = 0.35;
    this.#context.setLineDash([3 * ratio, 3 * ratio]);
    this.#context.beginPath();
    this.#context.moveTo(0, y(200));
    this.#context.lineTo(width, y(200));
    this.#context.stroke();
    this.#context.setLineDash([]);
    this.#context.font = `${11 * ratio}px system-ui, sans-serif`;
    this.#context.fillText("200 ms", 4 * ratio, y(200) - 4 * ratio);
    this.#context.globalAlpha = 1;
    this.#context.fillStyle = style.getPropertyValue("--accent");
    for (const { at, delay } of this.#samples) this.#context.fillRect(x(at), y(delay) - ratio, 2.2 * ratio, 2.2 * ratio);
  }
}
