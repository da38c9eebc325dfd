/** Everything the library asks of its surroundings; tests pass another one. */
export const browser = {
  WebSocket: globalThis.WebSocket,
  BroadcastChannel: globalThis.BroadcastChannel,
  locks: /** @type {LockManager|undefined} */ (globalThis.navigator?.locks),
  indexedDB: globalThis.indexedDB,
  crypto: globalThis.crypto,
  document: /** @type {Document|undefined} */ (globalThis.document),
  /** Where `online`, `pageshow` and `pagehide` are told; none in Node. */
  window: /** @type {Window|undefined} */ (/** @type {unknown} */ ('addEventListener' in globalThis ? globalThis : undefined)),
  online: () => globalThis.navigator?.onLine !== false,
  visible: () => globalThis.document?.visibilityState !== 'hidden',
  /** @type {typeof fetch} */
  fetch: (input, init) => fetch(input, init),
  /** @type {(run: () => void, after: number) => any} */
  setTimeout: (run, after) => setTimeout(run, Math.min(after, 2 ** 31 - 1)),
  /** @type {(timer: any) => void} */
  clearTimeout: timer => clearTimeout(timer),
  now: () => Date.now(),
  random: () => Math.random(),
};
