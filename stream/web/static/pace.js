// How many pictures are sent: as many as keep the delay short, so that a slow server means fewer pictures, not older ones.

import { CLOCK_MS, since } from "./stamp.js";

const LONG_MS = 150;
const SHORT_MS = 100;
const LOST_MS = 1000;
const MOST = 4;
const STEADY = 8; // pictures that must be quick before one more is tried

/** Bounds how many pictures are under way. */
export class Window {
  #room = 2;
  #quick = 0;
  #under = [];

  /** Whether the picture stamped `clock` may go now; if so, it counts as under way. */
  take(clock) {
    this.#under = this.#under.filter((sent) => since(sent, performance.now()) < LOST_MS);
    if (this.#under.length >= this.#room) return false;
    this.#under.push(Math.round(clock) % CLOCK_MS);
    return true;
  }

  /** The picture stamped `clock` has come back after `delay` ms: it and those before it are under way no more. */
  returned(clock, delay) {
    this.#under = this.#under.filter((sent) => since(clock, sent) > 0);
    this.#quick = delay < SHORT_MS ? this.#quick + 1 : 0;
    if (delay > LONG_MS) this.#room = Math.max(1, this.#room - 1);
    else if (this.#quick >= STEADY && this.#room < MOST) {
      this.#room += 1;
      this.#quick = 0;
    }
  }
}
