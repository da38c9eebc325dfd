const { WebSocket, BroadcastChannel, crypto, document, navigator } = globalThis;

export const browser = {
  WebSocket, BroadcastChannel, crypto, document, locks: navigator?.locks,
  window: 'addEventListener' in globalThis ? globalThis : undefined,
  online: () => navigator?.onLine !== false,
  visible: () => document?.visibilityState !== 'hidden',
  fetch: globalThis.fetch.bind(globalThis),
  setTimeout: (run = () => { }, after = 0) => /** @type {any} */ (setTimeout(run, Math.min(after, 2 ** 31 - 1))),
  clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
  now: Date.now,
  random: Math.random,
};
