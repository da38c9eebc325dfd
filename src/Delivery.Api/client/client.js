/** @import { AgentEvents, Options, Platform, State } from './types.js' */
import { commands } from './commands.js';
import { delivery } from './delivery.js';
import { reading } from './reading.js';
import { memoryStore } from './stores.js';
import { timers } from './timers.js';
import { tokensOf } from './token.js';

/** @param {Options} options @param {Platform} platform @returns {AgentEvents} */
export const open = (options, platform) => {
  const { document, window, now, visible } = platform;
  const { url = '/', client, share = true, store = memoryStore(), signal } = options;
  const base = new URL(url, document?.baseURI);
  const tokens = tokensOf(options.token, now);
  const { after, clear } = timers(platform);
  /** Why nothing is read at the moment. */
  const stops = new Set(['starting']);
  /** @type {Record<string, Set<(value: any) => void>>} */
  const listeners = { state: new Set(), error: new Set() };
  /** @type {(() => void)[]} */
  const unlisten = [];
  let cursor = /** @type {string|null} */ (null), acked = cursor, isOver = false, isOwing = false, shownAt = 0;
  let isSaving = false, unsaved = '';
  /** @type {Partial<State>=} */
  let closed;
  let resolve = () => { }, reject = /** @type {(error: Error) => void} */ (() => { });
  /** @type {Promise<void>} */
  const ready = new Promise((...settle) => [resolve, reject] = settle);
  ready.catch(() => { });

  const tell = (type = '', /** @type {any} */ value) => {
    if (type === 'error' && !listeners.error.size) console.error(value.error);
    for (const run of listeners[type]) {
      try {
        run(value);
      } catch (error) {
        console.error(error);
      }
    }
  };

  const show = () => {
    if (queue.isFull() && !stops.has('full')) halt('full');
    shownAt = now();
    const next = /** @type {State} */ (Object.freeze({ ...source.state(cursor), ...closed }));
    if (JSON.stringify(next) === JSON.stringify(state)) return;
    state = next;
    if (['replaying', 'live', 'degraded'].includes(state.status)) {
      resolve();
      owe();
    }
    tell('state', state);
  };

  const queue = delivery(platform, {
    cursor(to) {
      cursor = to;
      save(to);
      owe();
      if (now() - shownAt > 100) show();
    },
    room: () => resume('full'),
    error: failure => tell('error', failure),
  });

  const source = reading({ platform, url: new URL('v1/events', base).href, client, tokens, share }, {
    events: queue.events,
    place: queue.place,
    changed: show,
    closed: reason => shut(reason),
  });
  let state = /** @type {State} */ (Object.freeze(source.state(cursor)));

  // One after the other, the newest next; a store that fails costs a longer replay, no event.
  const save = async (to = '') => {
    unsaved = to;
    if (isSaving) return;
    isSaving = true;
    while (unsaved) {
      const next = unsaved;
      unsaved = '';
      try {
        await store.save(next);
      } catch { }
    }
    isSaving = false;
  };
  const begin = async () => {
    try {
      cursor = options.after ?? await store.load();
    } catch { }
    source.place(cursor);
    resume('starting');
  };

  const ack = () => {
    isOwing = false;
    if (client && cursor !== acked && source.send({ type: 'ack', cursor })) acked = cursor;
  };
  const owe = () => {
    if (!client || isOwing || isOver) return;
    isOwing = true;
    after('ack', 1_000, ack);
  };

  const halt = (why = '') => {
    stops.add(why);
    ack();
    source.stop();
  };
  const resume = (why = '') => {
    if (!isOver && stops.delete(why) && !stops.size) source.start();
  };

  const shut = (reason = '') => {
    halt('closed');
    const error = new Error(`The events ended: ${reason || 'closed'}`);
    reject(error);
    queue.place({ reached: () => queue.end(error) });
    closed = { status: 'closed', reason: reason || null, transport: null, retryAt: null };
    show();
  };

  const close = () => {
    if (isOver) return;
    isOver = true;
    shut();
    queue.stop();
    clear();
    unlisten.forEach(off => off());
  };

  /** @param {EventTarget|undefined} target @param {(event: any) => void} run */
  const on = (target, type = '', run) => {
    target?.addEventListener(type, run);
    unlisten.push(() => target?.removeEventListener(type, run));
  };
  on(window, 'online', () => source.wake(true));
  on(document, 'visibilitychange', () => visible() && source.wake(false));
  on(window, 'pagehide', () => halt('hidden'));
  on(window, 'pageshow', () => resume('hidden'));
  on(signal, 'abort', close);
  begin();
  if (signal?.aborted) close();

  return {
    ...commands(platform, base, tokens),
    ready, close,
    get state() { return state; },
    get cursor() { return cursor; },
    on(/** @type {string} */ type, /** @type {any} */ run) {
      const set = listeners[type];
      if (!set) return queue.on(type, run);
      set.add(run);
      return () => set.delete(run);
    },
    reconnect() {
      source.wake(true);
      if (closed && !isOver) {
        closed = undefined;
        queue.reopen();
        resume('closed');
      }
    },
    [Symbol.asyncIterator]: () => queue.iterate(),
    async [Symbol.asyncDispose]() {
      close();
      await queue.idle();
    },
  };
};
