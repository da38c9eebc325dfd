/** @import { AgentEvent, Options, Platform, State } from './types.js' */
import { commands } from './commands.js';
import { Delivery } from './delivery.js';
import { iterate } from './iterator.js';
import { Reader } from './reader.js';
import { Source } from './source.js';
import { guarded, memoryStore } from './stores.js';
import { Tokens } from './token.js';

/** Milliseconds. */
const ackEvery = 1_000;
const showEvery = 100;

/** What `connect` gives: the user's events, each once and in order, and what can be asked of the service. */
export class AgentEvents {
  #platform; #options; #store; #delivery; #reader; #source; #commands;
  /** Why nothing is read at the moment: starting, full, hidden, closed. */
  #stops = new Set(['starting']);
  #isClosed = false;
  /** @type {Record<string, Set<(value: any) => void>>} */
  #listeners = { state: new Set(), error: new Set() };
  /** @type {Set<(error?: Error) => void>} */
  #iterators = new Set();
  /** @type {State} */
  #state;
  #shownAt = 0;
  /** @type {any} */
  #ackTimer;
  /** @type {(() => void)[]} */
  #unlisten = [];
  #settle = { resolve: () => { }, reject: (/** @type {Error} */ _) => { } };
  /** @type {Promise<void>} resolves when a connection is there, rejects when it was closed before */
  ready;

  /**
   * @param {Options} options
   * @param {Platform} platform
   */
  constructor(options, platform) {
    this.#options = options;
    this.#platform = platform;
    const base = new URL(options.url ?? '/', platform.document?.baseURI).href;
    const tokens = new Tokens(options.token);
    this.#store = guarded(options.store ?? memoryStore());
    this.#delivery = new Delivery(platform, {
      cursor: cursor => this.#handled(cursor),
      room: () => this.#resume('full'),
      error: (error, event) => this.#tell('error', { error, event }),
    });
    this.#reader = new Reader(this.#delivery, () => this.#show());
    this.#source = new Source(
      { platform, url: new URL('v1/events', base).href, client: options.client, tokens, share: options.share ?? true },
      this.#reader,
      { changed: () => this.#show(), closed: reason => this.#shut(reason) });
    this.#commands = commands({ platform, base, tokens });
    this.#state = this.#now();
    this.ready = new Promise((resolve, reject) => { this.#settle = { resolve, reject }; });
    this.ready.catch(() => { });
    this.#watch(options.signal);
    this.#begin();
  }

  /** How the connection is: another frozen object on each change. */
  get state() {
    return this.#state;
  }

  /** The cursor after the last event that was handled, or null. */
  get cursor() {
    return this.#reader.cursor;
  }

  /**
   * Listens: to a type of event, '*' for each, 'events' for batches, 'reset', 'state' or 'error'. An event counts as
   * handled when all its listeners have returned.
   * @param {string} type
   * @param {(value: any) => any} run
   * @returns {() => void} ends it
   */
  on(type, run) {
    const listeners = this.#listeners[type];
    if (!listeners) {
      return this.#delivery.on(type, run);
    }

    listeners.add(run);
    return () => { listeners.delete(run); };
  }

  /** Each event; it counts as handled when the next one is asked for. @returns {AsyncIterableIterator<AgentEvent>} */
  [Symbol.asyncIterator]() {
    const { iterator, end } = iterate(run => this.#delivery.on('*', run));
    this.#iterators.add(end);
    this.#isClosed && end();
    return iterator;
  }

  /** @param {string} thread @param {string} input @param {{agent?: string, key?: string}} [options] */
  startRun(thread, input, options) {
    return this.#commands.startRun(thread, input, options);
  }

  /** @param {string} run */
  cancel(run) {
    return this.#commands.cancel(run);
  }

  /** Tries now; also after it was closed for a reason. */
  reconnect() {
    this.#source.wake(true);
    this.#resume('closed');
  }

  close() {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#unlisten.forEach(off => off());
      this.#shut(null);
      this.#delivery.stop();
      this.#iterators.forEach(end => end());
    }
  }

  async [Symbol.asyncDispose ?? Symbol.for('asyncDispose')]() {
    this.close();
    await this.#delivery.idle;
  }

  async #begin() {
    this.#reader.at = this.#reader.cursor = this.#options.after ?? await this.#store.load();
    this.#resume('starting');
  }

  /** @param {AbortSignal} [signal] */
  #watch(signal) {
    const { document, window } = this.#platform;
    /** @param {EventTarget|undefined} target @param {string} type @param {(event: any) => void} run */
    const on = (target, type, run) => {
      target?.addEventListener(type, run);
      this.#unlisten.push(() => target?.removeEventListener(type, run));
    };
    on(window, 'online', () => this.#source.wake(true));
    on(document, 'visibilitychange', () => this.#platform.visible() && this.#source.wake(false));
    on(window, 'pagehide', () => this.#stop('hidden'));
    on(window, 'pageshow', () => this.#resume('hidden'));
    on(signal, 'abort', () => this.close());
    signal?.aborted && queueMicrotask(() => this.close());
  }

  /** @param {string} why */
  #stop(why) {
    this.#stops.add(why);
    this.#ack();
    this.#source.stop();
  }

  /** @param {string} why it was stopped */
  #resume(why) {
    if (!this.#isClosed && this.#stops.delete(why) && this.#stops.size === 0) {
      this.#source.start();
    }
  }

  /** @param {string|null} reason null: the application's wish */
  #shut(reason) {
    this.#stop('closed');
    const error = new Error(`The events ended: ${reason ?? 'closed'}.`);
    this.#settle.reject(error);
    this.#delivery.push({ reached: () => this.#iterators.forEach(end => end(error)) });
    this.#show({ status: 'closed', reason, transport: null, retryAt: null });
  }

  /** @param {string} cursor */
  #handled(cursor) {
    this.#reader.cursor = cursor;
    this.#store.save(cursor);
    if (this.#options.client && !this.#isClosed) {
      this.#ackTimer ??= this.#platform.setTimeout(() => this.#ack(), ackEvery);
    }

    this.#platform.now() - this.#shownAt >= showEvery && this.#show();
  }

  #ack() {
    if (this.#ackTimer !== undefined) {
      this.#platform.clearTimeout(this.#ackTimer);
      this.#ackTimer = undefined;
      this.#source.send({ type: 'ack', cursor: this.#reader.cursor });
    }
  }

  /** @param {Partial<State>} [more] @returns {State} */
  #now(more) {
    const { status, degraded, retryAt, reason, transport } = this.#source.state;
    const { behind, isLive } = this.#reader;
    return /** @type {State} */ (Object.freeze({
      status: status !== 'open' ? status : degraded.length > 0 ? 'degraded' : isLive ? 'live' : 'replaying',
      degraded, behind, retryAt, reason, transport, leader: this.#source.isLeader, ...more,
    }));
  }

  /** @param {Partial<State>} [more] */
  #show(more) {
    this.#delivery.isFull && !this.#stops.has('full') && this.#stop('full');
    const state = this.#now(more);
    this.#shownAt = this.#platform.now();
    if (JSON.stringify(state) !== JSON.stringify(this.#state)) {
      this.#state = state;
      ['replaying', 'live', 'degraded'].includes(state.status) && this.#settle.resolve();
      this.#tell('state', state);
    }
  }

  /** @param {'state'|'error'} type @param {any} value */
  #tell(type, value) {
    if (type === 'error' && this.#listeners.error.size === 0) {
      console.error(value.error);
    }

    for (const listener of this.#listeners[type]) {
      try {
        listener(value);
      } catch (error) {
        console.error(error);
      }
    }
  }
}
