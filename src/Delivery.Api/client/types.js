/**
 * The shapes that cross module borders. The wire: PROTOCOL.md.
 *
 * @typedef {{cursor: string, id: string, type: string, time: string, thread: string, run: string, sequence: number,
 *   data: any}} AgentEvent
 *
 * @typedef {{type: string, cursor?: string|null, after?: string|null, head?: string|null, events?: AgentEvent[],
 *   resume?: string, reason?: string, degraded?: string[], heartbeat?: number}} Frame a frame of the server
 *
 * @typedef {{reason: string, cursor: string}} Reset
 *
 * @typedef {{status: 'connecting'|'replaying'|'live'|'degraded'|'offline'|'closed', degraded: string[],
 *   behind: number|null, retryAt: number|null, reason: string|null, transport: 'websocket'|'sse'|'poll'|null,
 *   leader: boolean}} State `retryAt` in epoch milliseconds; `reason` says why it is closed
 *
 * @typedef {{load(): string|null|Promise<string|null>, save(cursor: string): void|Promise<void>}} CursorStore
 *
 * @typedef {string | (() => string|Promise<string>)} TokenProvider
 *
 * @typedef {object} Options
 * @property {string} [url] base of the service
 * @property {TokenProvider} token
 * @property {string} [client] the server keeps this id's acks
 * @property {string} [after] where to begin, whatever the store says; '0': with the oldest kept event
 * @property {CursorStore} [store]
 * @property {boolean|string} [share] one connection for all tabs of this browser; a string names it
 * @property {AbortSignal} [signal] closes
 *
 * @typedef {{code?: number, retry?: number, unreachable?: boolean}} Close why a transport ended; `retry` in ms
 *
 * @typedef {object} LinkOptions
 * @property {string} url
 * @property {() => string} token
 * @property {string|null} after
 * @property {string} [client]
 * @property {Platform} platform
 * @property {(frame: Frame, size: number) => void} onFrame
 * @property {(close: Close) => void} onClose once, unless closed by us
 *
 * @typedef {{close(): void, send?(frame: object): void}} Link an open transport
 *
 * @typedef {typeof import('./platform.js').browser} Platform
 */
export {};
