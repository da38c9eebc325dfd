import { positionOf } from './recovery.js';

const mostRows = 50_000;
const mostCharacters = 64 * 1024 * 1024;
const encoder = new TextEncoder();

/**
 * The events that arrived, as rows, and those of them that pass the filters.
 *
 * @typedef {{position: number, time: string, type: string, thread: string, run: string, sequence: number, json: string,
 *   size: number, latency: number|null}} Row `latency` in milliseconds, of events that arrived live
 */
export class Rows {
  /** @type {Row[]} */
  #all = [];
  /** @type {Row[]} */
  #passing = [];
  #characters = 0;
  #filter = { type: '', thread: '', run: '', text: '' };
  /** How many rows each type has. */
  types = new Map();

  get length() {
    return this.#all.length;
  }

  /** Those that pass, oldest first. */
  get passing() {
    return this.#passing;
  }

  /** @param {object[]} events @param {number|null} arrivedAt when, if they arrived live */
  add(events, arrivedAt) {
    for (const event of events) {
      const row = rowOf(event, arrivedAt);
      this.#all.push(row);
      this.#characters += row.json.length;
      this.types.set(row.type, (this.types.get(row.type) ?? 0) + 1);
      if (this.#passes(row)) {
        this.#passing.push(row);
      }
    }

    if (this.#all.length > mostRows * 1.1 || this.#characters > mostCharacters * 1.1) {
      this.#letGo();
    }
  }

  /** @param {Partial<{type: string, thread: string, run: string, text: string}>} filter '' passes all */
  filter(filter) {
    this.#filter = { ...this.#filter, ...filter };
    this.#passing = this.#all.filter(row => this.#passes(row));
  }

  clear() {
    this.#all = [];
    this.#passing = [];
    this.#characters = 0;
    this.types.clear();
  }

  #passes(row) {
    const { type, thread, run, text } = this.#filter;
    return (type === '' || row.type === type) && row.thread.includes(thread) && row.run.includes(run)
      && (text === '' || row.json.toLowerCase().includes(text.toLowerCase()));
  }

  /** The oldest, where there is more than a page should keep. */
  #letGo() {
    let from = 0;
    while (this.#all.length - from > mostRows || this.#characters > mostCharacters) {
      const row = this.#all[from++];
      this.#characters -= row.json.length;
      this.types.set(row.type, this.types.get(row.type) - 1);
    }

    this.#all.splice(0, from);
    this.#passing = this.#all.filter(row => this.#passes(row));
  }
}

function rowOf(event, arrivedAt) {
  const { cursor, time, type, thread, run, sequence } = event;
  const json = JSON.stringify(event);
  return {
    position: positionOf(cursor), time, type, thread, run, sequence, json,
    size: encoder.encode(json).length,
    latency: arrivedAt === null ? null : arrivedAt - Date.parse(time),
  };
}
