import { open } from './client.js';
import { browser } from './platform.js';
export { CommandError } from './commands.js';
export { emptyState, fold, foldRun } from './projection.js';
export { indexedDbStore, localStore, memoryStore, sessionStore } from './stores.js';
export { TokenUnavailable } from './token.js';

/** @import { AgentEvents, Options, Platform } from './types.js' */

/** @type {(options: Options, platform?: Platform) => AgentEvents} */
export const connect = (options, platform = browser) => open(options, platform);
