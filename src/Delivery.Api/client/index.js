/**
 * A user's agent events in a browser: each once and in order, whatever happens to the connection.
 * @module agent-events
 */
/** @import { Options, Platform } from './types.js' */
import { AgentEvents } from './client.js';
import { browser } from './platform.js';

export { AgentEvents } from './client.js';
export { CommandError } from './commands.js';
export { emptyState, fold, foldRun } from './projection.js';
export { indexedDbStore, localStore, memoryStore, sessionStore } from './stores.js';
export { TokenUnavailable } from './token.js';

/**
 * @param {Options} options
 * @param {Platform} [platform]
 */
export const connect = (options, platform = browser) => new AgentEvents(options, platform);
