/** Full jitter, so that many who were cut off at once don't come back at once. */
export const fullJitter = (failures = 0, random = Math.random, cap = 8_000) => random() * Math.min(cap, 500 * 2 ** failures);
