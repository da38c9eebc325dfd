/** @import { AgentEvent } from './types.js' */
import { left } from './delivery.js';

/**
 * An iterator as a listener: an event counts as handled when the next one is asked for.
 * @param {(listener: (event: AgentEvent) => Promise<any>) => () => void} listen
 * @returns {{iterator: AsyncIterableIterator<AgentEvent>, end(error?: Error): void}}
 */
export function iterate(listen) {
  /** @type {{resolve(result: IteratorResult<AgentEvent>): void, reject(error: Error): void}[]} */
  const asked = [];
  /** @type {{event: AgentEvent, isGiven: boolean, settle(result: any): void}|null} */
  let offer = null;
  let isEnded = false;
  /** @type {Error|undefined} */
  let failure;

  const match = () => {
    if (offer && !offer.isGiven && asked.length > 0) {
      offer.isGiven = true;
      asked.shift()?.resolve({ done: false, value: offer.event });
    }
  };
  const off = listen(event => new Promise(settle => {
    offer = { event, isGiven: false, settle };
    match();
  }));
  const conclude = () => {
    for (const { resolve, reject } of asked.splice(0)) {
      failure ? reject(failure) : resolve({ done: true, value: undefined });
      failure = undefined;
    }
  };
  /** @param {Error} [error] */
  const end = error => {
    if (!isEnded) {
      isEnded = true;
      failure = error;
      off();
      offer?.settle(left);
      conclude();
    }
  };

  /** @type {AsyncIterableIterator<AgentEvent>} */
  const iterator = {
    next: () => new Promise((resolve, reject) => {
      if (offer?.isGiven && !isEnded) {
        const { settle } = offer;
        offer = null;
        settle(undefined);
      }

      asked.push({ resolve, reject });
      isEnded ? conclude() : match();
    }),
    return: async value => {
      end();
      return { done: true, value };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return { iterator, end };
}
