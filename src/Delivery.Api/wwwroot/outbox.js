/**
 * Requests on their way: shown at once, gone when their run is there. One that failed keeps its text and its key, so that
 * trying again can't do it twice.
 *
 * @typedef {{key: string, thread: string, text: string, at: string, state: 'sending'|'sent'|'failed', run: string|null,
 *   error: string|null, known: number}} Entry `known`: how many runs its thread had when it was written
 */
export class Outbox {
  #start; #changed; #newKey;
  /** @type {Entry[]} */
  #entries = [];

  /**
   * @param {(thread: string, text: string, key: string) => Promise<{run: string}>} start
   * @param {() => void} changed
   * @param {() => string} newKey
   */
  constructor(start, changed, newKey) {
    this.#start = start;
    this.#changed = changed;
    this.#newKey = newKey;
  }

  /** @param {number} known how many runs the thread has */
  send(thread, text, known) {
    const entry = { key: this.#newKey(), thread, text, at: new Date().toISOString(), run: null, known };
    return this.#try(entry);
  }

  retry(key) {
    const entry = this.#entries.find(entry => entry.key === key);
    return entry && this.#try(entry);
  }

  discard(key) {
    this.#entries = this.#entries.filter(entry => entry.key !== key);
    this.#changed();
  }

  /** What of a thread is still on its way. */
  of(thread) {
    return this.#entries.filter(entry => entry.thread === thread);
  }

  /** Lets go of what has arrived. */
  settle({ threads, runs }) {
    this.#entries = this.#entries.filter(({ run, thread, text, known }) => run !== null
      ? !runs.has(run)
      : !(threads.get(thread)?.runs ?? []).slice(known).some(id => runs.get(id).input === text));
  }

  async #try(entry) {
    this.#put({ ...entry, state: 'sending', error: null });
    try {
      const { run } = await this.#start(entry.thread, entry.text, entry.key);
      this.#replace(entry.key, { state: 'sent', run });
    } catch (error) {
      this.#replace(entry.key, { state: 'failed', error: error.message });
    }
  }

  #put(entry) {
    const at = this.#entries.findIndex(({ key }) => key === entry.key);
    this.#entries = at < 0 ? [...this.#entries, entry] : this.#entries.with(at, entry);
    this.#changed();
  }

  #replace(key, change) {
    const entry = this.#entries.find(entry => entry.key === key);
    entry && this.#put({ ...entry, ...change });
  }
}

/** A fresh id. `crypto.randomUUID` exists on HTTPS and localhost only; this works on a plain LAN address too. */
export const newId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
