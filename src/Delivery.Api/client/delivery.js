/** @import { AgentEvent, Platform, Reset } from './types.js' */
import { fullJitter } from './backoff.js';

const mostEvents = 5_000;
const mostBytes = 8 * 1024 * 1024;
const batchSize = 1_000;
/** Milliseconds of handlers in a row before the page may breathe. */
const slice = 40;

/** What a handler answers that leaves without having done its work. */
export const left = Symbol('left');

/**
 * @typedef {{type: string, run: (value: any) => any}} Handler type: an event's, '*', 'events' (batches) or 'reset'
 * @typedef {{events?: AgentEvent[], size?: number, reset?: Reset, cursor?: string|null, reached?: () => void}} Item
 *   events, a reset, or a place in the order that is told when it is reached
 */

/**
 * The queue from frames to handlers. A handler that throws gets the same thing again, alone; the cursor moves on when
 * every handler has returned. While nobody listens, events wait.
 */
export class Delivery {
  #platform; #tell;
  /** @type {Set<Handler>} */
  #handlers = new Set();
  /** @type {Item[]} */
  #queue = [];
  #events = 0;
  #bytes = 0;
  #isFull = false;
  #isStopped = false;
  #since = 0;
  /** @type {Set<() => void>} */
  #pauses = new Set();
  /** @type {Promise<void>|undefined} */
  #running;

  /**
   * @param {Platform} platform
   * @param {{cursor(cursor: string): void, room(): void, error(error: unknown, event: AgentEvent|null): void}} tell
   */
  constructor(platform, tell) {
    this.#platform = platform;
    this.#tell = tell;
  }

  /** Whether more waits than may; `tell.room` follows when half of it has gone. */
  get isFull() {
    return this.#isFull;
  }

  /** Settles when what is being handled has been. */
  get idle() {
    return this.#running ?? Promise.resolve();
  }

  /** @param {Item} item */
  push(item) {
    this.#queue.push(item);
    this.#count(item.events?.length ?? 0, item.size ?? 0);
    this.#start();
  }

  /**
   * @param {string} type
   * @param {(value: any) => any} run
   */
  on(type, run) {
    const handler = { type, run };
    this.#handlers.add(handler);
    this.#start();
    return () => { this.#handlers.delete(handler); };
  }

  /** Nothing more is handed out; what is being handled comes to its end. */
  stop() {
    this.#isStopped = true;
    this.#handlers.clear();
    this.#queue = [];
    this.#pauses.forEach(end => end());
  }

  get #canGoOn() {
    return this.#queue.length > 0 && (!this.#queue[0].events || !this.#isDeserted);
  }

  get #isDeserted() {
    return ![...this.#handlers].some(({ type }) => type !== 'reset');
  }

  #start() {
    if (!this.#running && this.#canGoOn) {
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        this.#start();
      });
    }
  }

  async #run() {
    this.#since = this.#platform.now();
    while (this.#canGoOn) {
      const item = this.#queue[0];
      if (item.events) {
        this.#merge(item, item.events);
        await this.#handOut(item, item.events);
        continue;
      }

      if (item.reset && await this.#all(type => type === 'reset', item.reset, null)) {
        return;
      }

      this.#queue.shift();
      item.cursor && this.#tell.cursor(item.cursor);
      item.reached?.();
    }
  }

  /**
   * Takes in the events that follow, up to a batch.
   * @param {Item} item
   * @param {AgentEvent[]} events
   */
  #merge(item, events) {
    let next;
    while ((next = this.#queue[1])?.events && events.length + next.events.length <= batchSize) {
      events.push(...next.events);
      item.size = (item.size ?? 0) + (next.size ?? 0);
      this.#queue.splice(1, 1);
    }
  }

  /**
   * @param {Item} item the first of the queue: keeps what is not done
   * @param {AgentEvent[]} events
   */
  async #handOut(item, events) {
    const waiting = this.#all(type => type === 'events', events.slice(), null);
    const done = waiting && await waiting ? 0 : await this.#each(events);
    const bytes = (item.size ?? 0) * done / events.length;
    item.size = (item.size ?? 0) - bytes;
    events.splice(0, done);
    if (events.length === 0 && this.#queue[0] === item) {
      this.#queue.shift();
    }

    this.#count(-done, -bytes);
  }

  /**
   * @param {AgentEvent[]} events
   * @returns {Promise<number>} how many are done
   */
  async #each(events) {
    if (![...this.#handlers].some(({ type }) => type !== 'events' && type !== 'reset')) {
      this.#tell.cursor(events[events.length - 1].cursor);
      return events.length;
    }

    for (const [at, event] of events.entries()) {
      const name = event.type === 'events' || event.type === 'reset' ? '*' : event.type;
      const waiting = this.#all(type => type === name || type === '*', event, event);
      if (waiting && await waiting) {
        return at;
      }

      this.#tell.cursor(event.cursor);
      if (this.#platform.now() - this.#since > slice && this.#platform.visible()) {
        await this.#pause(0);
        this.#since = this.#platform.now();
      }

      if (this.#isStopped) {
        return at + 1;
      }
    }

    return events.length;
  }

  /**
   * Calls every handler of a type; nothing to wait for where all returned at once.
   * @param {(type: string) => boolean} isFor
   * @param {any} value
   * @param {AgentEvent|null} event
   * @returns {Promise<boolean>|undefined} whether it is not done and nobody is there any more to do it
   */
  #all(isFor, value, event) {
    const waits = [...this.#handlers].filter(({ type }) => isFor(type))
      .map(handler => this.#call(handler, value, event)).filter(result => result !== undefined);
    return waits.length === 0 ? undefined
      : Promise.all(waits).then(results => results.includes(left) && this.#isDeserted);
  }

  /**
   * @param {Handler} handler
   * @param {any} value
   * @param {AgentEvent|null} event
   * @returns {Promise<any>|undefined}
   */
  #call(handler, value, event) {
    try {
      const result = handler.run(value);
      return typeof result?.then === 'function'
        ? result.then(undefined, (/** @type {unknown} */ error) => this.#again(handler, value, event, error))
        : undefined;
    } catch (error) {
      return this.#again(handler, value, event, error);
    }
  }

  /**
   * @param {Handler} handler
   * @param {any} value
   * @param {AgentEvent|null} event
   * @param {unknown} error
   */
  async #again(handler, value, event, error) {
    for (let failures = 0; ; failures++) {
      this.#tell.error(error, event);
      await this.#pause(fullJitter(failures, this.#platform.random));
      if (!this.#handlers.has(handler)) {
        return left;
      }

      try {
        return await handler.run(value);
      } catch (reason) {
        error = reason;
      }
    }
  }

  /** @param {number} milliseconds */
  #pause(milliseconds) {
    return new Promise(resolve => {
      const end = () => {
        this.#platform.clearTimeout(timer);
        this.#pauses.delete(end);
        resolve(undefined);
      };
      const timer = this.#platform.setTimeout(end, milliseconds);
      this.#pauses.add(end);
    });
  }

  /**
   * @param {number} events
   * @param {number} bytes
   */
  #count(events, bytes) {
    this.#events += events;
    this.#bytes += bytes;
    if (this.#events > mostEvents || this.#bytes > mostBytes) {
      this.#isFull = true;
    } else if (this.#isFull && this.#events <= mostEvents / 2 && this.#bytes <= mostBytes / 2) {
      this.#isFull = false;
      this.#tell.room();
    }
  }
}
