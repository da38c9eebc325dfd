/**
 * Full jitter: anywhere between nothing and a bound that doubles with each attempt, so that many browsers cut off at
 * once don't come back at once.
 * @param {number} attempt failures so far, from 0
 * @returns {number} milliseconds
 */
export function fullJitter(attempt, { base = 500, cap = 8_000, random = Math.random } = {}) {
  return random() * Math.min(cap, base * 2 ** Math.min(attempt, 16));
}
