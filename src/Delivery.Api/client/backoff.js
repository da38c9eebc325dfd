/**
 * Full jitter: anywhere below a bound that doubles with each failure, so that many browsers cut off at once don't come
 * back at once.
 * @param {number} failures so far, from 0
 * @param {() => number} random
 * @param {number} [cap] in milliseconds
 */
export const fullJitter = (failures, random, cap = 8_000) =>
  random() * Math.min(cap, 500 * 2 ** Math.min(failures, 16));
