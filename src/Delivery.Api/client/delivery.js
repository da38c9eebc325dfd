/** @import { AgentEvent, Handler, Listener, Place, Platform } from './types.js' */
import { fullJitter } from './backoff.js';

const mostEvents = 5_000, mostBytes = 8 * 1024 * 1024, batch = 1_000;
/** In ms: then the page may breathe. */
const slice = 40;
const left = Symbol();

/**
 * From frames to handlers. Who throws gets the same again, alone; the cursor moves when all returned; while nobody listens,
 * events wait.
 * @param {Platform} platform @param {Listener} tell
 */
export const delivery = ({ now, random, visible, setTimeout, clearTimeout }, tell) => {
  /** @type {Set<Handler>} */
  const handlers = new Set();
  /** @type {Set<() => void>} */
  const wakers = new Set();
  /** @type {Place[]} */
  let queue = [];
  let events = 0, bytes = 0, isFull = false, isStopped = false, since = 0;
  /** @type {Promise<void>=} */
  let running;
  /** @type {{error?: Error}=} */
  let end;

  /** @param {(type: string) => boolean} isFor */
  const those = isFor => [...handlers].filter(({ type }) => isFor(type));
  const hears = (isFor = (type = '') => type !== 'reset') => those(isFor).length > 0;
  const isPlain = (type = '') => type !== 'events' && type !== 'reset';

  const pause = (milliseconds = 0) => isStopped || new Promise(resolve => {
    const wake = () => {
      clearTimeout(timer);
      resolve(wakers.delete(wake));
    };
    const timer = setTimeout(wake, milliseconds);
    wakers.add(wake);
  });

  const breathe = async () => {
    if (now() - since <= slice || !visible()) return;
    await pause();
    since = now();
  };

  /** @param {Handler} handler @param {any} value @param {AgentEvent|null} event */
  const call = async (handler, value, event) => {
    for (let failures = 0; handlers.has(handler);) {
      try {
        return await handler.run(value);
      } catch (error) {
        tell.error({ error, event });
        await pause(fullJitter(failures++, random));
      }
    }
    return left;
  };

  /** Whether all who had it have left. @param {Handler[]} given @param {(handler: Handler) => any} valueOf @param {AgentEvent|null} event */
  const all = async (given, valueOf, event = null) => {
    const results = await Promise.all(given.map(handler => call(handler, valueOf(handler), event)));
    return results.length > 0 && results.every(result => result === left);
  };

  /** @param {AgentEvent[]} given @returns {Promise<number>} how many are done */
  const hand = async given => {
    // Some may have had the first of them before, when a loop was left in the middle of a batch.
    const batchers = those(type => type === 'events').filter(({ had }) => had < given.length);
    if (await all(batchers, ({ had }) => given.slice(had))) return 0;
    for (const handler of batchers) handler.had = given.length;
    if (!hears(isPlain)) {
      tell.cursor(given[given.length - 1].cursor);
      return given.length;
    }
    let done = 0;
    for (const event of given) {
      if (!hears() || await all(those(type => type === '*' || isPlain(type) && type === event.type), () => event, event)) break;
      done++;
      tell.cursor(event.cursor);
      await breathe();
    }
    return done;
  };

  const run = async () => {
    since = now();
    while (queue.length && (!queue[0].event || hears())) {
      const [{ event, reset, cursor, reached }] = queue;
      if (!event) {
        if (reset && !hears(type => type === 'reset')) tell.error({ error: new Error(`The stream was reset: ${reset.reason}`), event: null });
        else if (reset && await all(those(type => type === 'reset'), () => reset)) return;
        queue.shift();
        if (cursor) tell.cursor(cursor);
        reached?.();
        continue;
      }
      const next = queue.slice(0, batch);
      const until = next.findIndex(place => !place.event);
      const given = until < 0 ? next : next.slice(0, until);
      const done = queue.splice(0, await hand(given.map(place => /** @type {AgentEvent} */ (place.event))));
      for (const handler of handlers) handler.had = Math.max(0, handler.had - done.length);
      count(-done.length, -done.reduce((sum, { weight = 0 }) => sum + weight, 0));
      await breathe();
    }
  };

  const go = () => {
    if (queue.length && (!queue[0].event || hears())) {
      running ??= run().finally(() => {
        running = undefined;
        go();
      });
    }
  };

  const count = (more = 0, size = 0) => {
    events += more;
    bytes += size;
    if (events > mostEvents || bytes > mostBytes) isFull = true;
    else if (isFull && events <= mostEvents / 2 && bytes <= mostBytes / 2) {
      isFull = false;
      tell.room();
    }
  };
  return {
    isFull: () => isFull,
    idle: () => running,
    /** @param {AgentEvent[]} more */
    events(more, size = 0) {
      queue.push(...more.map(event => ({ event, weight: size / more.length })));
      count(more.length, size);
      go();
    },
    /** @param {Place} place */
    place(place) {
      queue.push(place);
      go();
    },
    /** @param {string} type @param {(value: any) => any} run */
    on(type, run) {
      const handler = { type, run, had: 0 };
      handlers.add(handler);
      go();
      return () => { handlers.delete(handler); };
    },
    /** @returns {AsyncGenerator<AgentEvent, void, void>} */
    async *iterate() {
      /** @type {{event: AgentEvent, settle(result?: any): void}=} */
      let offer;
      let wake = () => { };
      const off = this.on('*', event => new Promise(settle => {
        offer = { event, settle };
        wake();
      }));
      const waker = () => wake();
      wakers.add(waker);
      try {
        for (;;) {
          while (!offer && !end) await new Promise(resolve => { wake = () => resolve(0); });
          if (!offer) {
            if (end?.error) throw end.error;
            return;
          }
          yield offer.event;
          offer.settle();
          offer = undefined;
        }
      } finally {
        off();
        wakers.delete(waker);
        offer?.settle(left);
      }
    },
    /** @param {Error} [error] */
    end(error) {
      end = { error };
      wakers.forEach(wake => wake());
    },
    reopen() {
      end = undefined;
    },
    stop() {
      isStopped = true;
      handlers.clear();
      queue = [];
      this.end();
    },
  };
};
