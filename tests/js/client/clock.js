/** What is waiting in promises has run; nothing waits for real time here. */
export const settled = () => new Promise(resolve => setImmediate(resolve));

/** Time that stands still until a test lets it pass. */
export class Clock {
  time = Date.UTC(2026, 0, 1);
  #timers = new Map();
  #count = 0;

  now = () => this.time;

  setTimeout = (run, after = 0) => {
    this.#timers.set(++this.#count, { at: this.time + Math.max(0, after), run });
    return this.#count;
  };

  clearTimeout = id => { this.#timers.delete(id); };

  get pending() {
    return this.#timers.size;
  }

  /** Lets so many milliseconds pass, timer by timer. */
  async pass(milliseconds) {
    await settled();
    const end = this.time + milliseconds;
    for (let next; (next = this.#next())?.[1].at <= end;) {
      this.#timers.delete(next[0]);
      this.time = Math.max(this.time, next[1].at);
      next[1].run();
      await settled();
    }

    this.time = end;
  }

  /** The device sleeps: the wall clock goes on, timers do not. */
  sleep(milliseconds) {
    this.time += milliseconds;
    for (const timer of this.#timers.values()) {
      timer.at += milliseconds;
    }
  }

  #next() {
    let first;
    for (const timer of this.#timers) {
      if (!first || timer[1].at < first[1].at) {
        first = timer;
      }
    }

    return first;
  }
}

/** A generator of numbers in [0, 1), the same for the same seed (mulberry32). */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6D2B79F5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
