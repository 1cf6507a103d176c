// The time stamp drawn below a picture as a row of 32 black and white blocks; see stream/web/stamp.py, which does the same.

export const CLOCK_MS = 2 ** 24;
const BLOCKS = 32;

/** Height of the row in a stamped picture of that height. */
export const stripOf = (stampedHeight) => 2 * Math.ceil(stampedHeight / 62);

/** Height of a stamped picture whose picture has that height. */
export const stampedHeight = (height) => height + stripOf(height + stripOf(height));

const check = (value) => (value ^ (value >> 6) ^ (value >> 12) ^ (value >> 18) ^ (value >> 24) ^ 0b101101) & 63;

/** Draw the row into the bottom of the canvas behind `context`: `clock` in ms, `panels` 1 to 3. */
export function putStamp(context, clock, panels = 1) {
  const { width, height } = context.canvas;
  const value = ((Math.round(clock) % CLOCK_MS) << 2) | panels;
  const bits = [];
  for (let bit = 25; bit >= 0; bit--) bits.push((value >> bit) & 1);
  for (let bit = 5; bit >= 0; bit--) bits.push((check(value) >> bit) & 1);
  const strip = stripOf(height);
  context.fillStyle = "#000";
  context.fillRect(0, height - strip, width, strip);
  context.fillStyle = "#fff";
  bits.forEach((bit, i) => {
    const left = Math.ceil((i * width) / BLOCKS);
    if (bit) context.fillRect(left, height - strip, Math.ceil(((i + 1) * width) / BLOCKS) - left, strip);
  });
}

const row = new OffscreenCanvas(BLOCKS, 1).getContext("2d", { willReadFrequently: true, alpha: false });

/** What the row of a picture (anything that can be drawn) holds: {clock, panels}, or null where it holds no stamp. */
export function readStamp(picture, width, height) {
  const strip = stripOf(height);
  row.drawImage(picture, 0, height - strip + strip / 4, width, strip / 2, 0, 0, BLOCKS, 1);
  const { data } = row.getImageData(0, 0, BLOCKS, 1);
  let value = 0;
  let sum = 0;
  for (let i = 0; i < BLOCKS; i++) {
    const bit = data[4 * i] + data[4 * i + 1] + data[4 * i + 2] > 382 ? 1 : 0;
    if (i < 26) value = (value << 1) | bit;
    else sum = (sum << 1) | bit;
  }
  return sum === check(value) ? { clock: value >> 2, panels: value & 3 } : null;
}

/** Milliseconds from `clock` to `now`, both modulo CLOCK_MS, negative where `clock` is later. */
export function since(clock, now) {
  const gap = (((Math.round(now) - clock) % CLOCK_MS) + CLOCK_MS) % CLOCK_MS;
  return gap < CLOCK_MS / 2 ? gap : gap - CLOCK_MS;
}
