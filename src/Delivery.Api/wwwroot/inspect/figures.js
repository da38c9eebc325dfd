const mostLatencies = 1_000;
const window = 5_000;

/** How fast events come: a rate over the last seconds, and the latencies of the last live ones. */
export class Figures {
  #latencies = [];
  #next = 0;
  /** @type {{at: number, events: number}[]} */
  #arrivals = [];

  arrived(events, at) {
    this.#arrivals.push({ at, events });
  }

  latency(milliseconds) {
    this.#latencies[this.#next] = milliseconds;
    this.#next = (this.#next + 1) % mostLatencies;
  }

  /** Events a second. */
  rate(now) {
    this.#arrivals = this.#arrivals.filter(({ at }) => now - at < window);
    return this.#arrivals.reduce((sum, { events }) => sum + events, 0) / (window / 1_000);
  }

  /** @param {number} share 0 to 1 @returns {number|null} the latency that this share does not exceed */
  percentile(share) {
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  }
}
