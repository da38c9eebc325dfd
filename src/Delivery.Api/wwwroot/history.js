const slice = 100;
/** Milliseconds of work in a row before the page may draw and listen. */
const stint = 12;

/** Everything of a person's stream, folded; and how many events each run took. */
export class History {
  #fold; #breathe; #now;
  projection;
  counts = new Map();

  /**
   * @param {{fold: Function, emptyState: object}} library
   * @param {() => Promise<void>} breathe lets the page do other things
   * @param {() => number} now in milliseconds
   */
  constructor({ fold, emptyState }, breathe, now = () => performance.now()) {
    this.#fold = fold;
    this.projection = emptyState;
    this.#breathe = breathe;
    this.#now = now;
  }

  /** Takes in any number of events without keeping the page from anything else for long. */
  async add(events) {
    let since = this.#now();
    for (let at = 0; at < events.length; at += slice) {
      if (this.#now() - since > stint) {
        await this.#breathe();
        since = this.#now();
      }

      this.#take(events.slice(at, at + slice));
    }
  }

  #take(events) {
    this.projection = this.#fold(this.projection, events);
    for (const { run } of events) {
      this.counts.set(run, (this.counts.get(run) ?? 0) + 1);
    }
  }
}

/** Until the page has drawn and listened; at once where nobody looks, since timers are slow there. */
export const breathe = () => document.hidden ? Promise.resolve()
  : globalThis.scheduler?.yield?.() ?? new Promise(resolve => setTimeout(resolve));

export const hasEnded = run => run.status !== 'queued' && run.status !== 'running';
