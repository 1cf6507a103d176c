// How many pictures are sent: as many as keep the delay short, so that a slow server means fewer pictures, not older ones.

import { CLOCK_MS, since } from "./stamp.js";

const SHRINK_ABOVE_MS = 150;
const QUICK_BELOW_MS = 100;
const LOST_AFTER_MS = 1000;
const MAX_IN_FLIGHT = 4;
const QUICK_TO_GROW = 8; // pictures that must be quick before one more is tried

/** Bounds how many pictures are in flight. */
export class SendWindow {
  #capacity = 2;
  #quick = 0;
  #inFlight = [];

  /** Whether the picture stamped `clock` may go now; if so, it counts as in flight. */
  take(clock) {
    this.#inFlight = this.#inFlight.filter((sent) => since(sent, performance.now()) < LOST_AFTER_MS);
    if (this.#inFlight.length >= this.#capacity) return false;
    this.#inFlight.push(Math.round(clock) % CLOCK_MS);
    return true;
  }

  /** The picture stamped `clock` has come back after `delay` ms: it and those before it are in flight no more. */
  returned(clock, delay) {
    this.#inFlight = this.#inFlight.filter((sent) => since(clock, sent) > 0);
    this.#quick = delay < QUICK_BELOW_MS ? this.#quick + 1 : 0;
    if (delay > SHRINK_ABOVE_MS) this.#capacity = Math.max(1, this.#capacity - 1);
    else if (this.#quick >= QUICK_TO_GROW && this.#capacity < MAX_IN_FLIGHT) {
      this.#capacity += 1;
      this.#quick = 0;
    }
  }
}
