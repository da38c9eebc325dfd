const minute = 60_000;

/**
 * Which transport to use: the best that works. Two failures in a row of one lead to the next, and from the last to the
 * first again, since then it is not the transport. A better one is tried again after 5 minutes, ever more seldom.
 */
export class Ladder {
  #rungs;
  #at = 0;
  #failures = 0;
  #trials = 0;

  /** @param {string[]} rungs from the best to the last resort */
  constructor(rungs) {
    this.#rungs = rungs;
  }

  get rung() {
    return this.#rungs[this.#at];
  }

  /** @returns {number|null} milliseconds until a better one is to be tried; null at the top */
  get patience() {
    return this.#at === 0 ? null : Math.min(5 * minute * 2 ** this.#trials, 60 * minute);
  }

  /** The better one to try: each of them in turn. */
  get better() {
    return this.#rungs[this.#trials % this.#at];
  }

  /** @param {string} rung */
  worked(rung) {
    this.#at = this.#rungs.indexOf(rung);
    this.#failures = 0;
    if (this.#at === 0) {
      this.#trials = 0;
    }
  }

  /** The present one ended before it was ready. */
  failed() {
    if (++this.#failures >= 2) {
      this.#failures = 0;
      this.#at = (this.#at + 1) % this.#rungs.length;
    }
  }

  /** A better one did not work either. */
  trialFailed() {
    this.#trials++;
  }

  /** The network is another one, or none: begins at the top, where one more failure is enough to know. */
  restart() {
    this.#failures = this.#at === 0 ? this.#failures : 1;
    this.#at = 0;
  }
}
