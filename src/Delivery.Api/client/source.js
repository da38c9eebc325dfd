/** @import { Frame, Platform } from './types.js' */
/** @import { ConnectionState } from './connection.js' */
/** @import { LeaderState } from './tabs.js' */
import { Connection } from './connection.js';
import { identityOf } from './token.js';
import { Reader } from './reader.js';
import { Tabs, groupOf } from './tabs.js';

const mostHeld = 1_000;

/**
 * Where a tab's frames come from: a connection of its own, or the leader's. Who follows reads what it lacks over JSON, at
 * first and at every gap, while the leader's frames are held.
 */
export class Source {
  #options; #reader; #tell; #main; #catchUp;
  /** @type {string|null} */
  #group = null;
  /** @type {Tabs|null} */
  #tabs = null;
  /** @type {{frame: Frame, size: number}[]|null} while this tab reads for itself */
  #held = null;
  #isRunning = false;
  #wasReplaced = false;
  /** @type {ConnectionState} this tab's own */
  #own = { status: 'connecting', retryAt: null, reason: null, transport: null };
  /** @type {LeaderState|null} */
  #leader = null;
  #degraded = /** @type {string[]} */ ([]);
  #silence = 32_000;

  /**
   * @param {{platform: Platform, url: string, client?: string, tokens: import('./token.js').Tokens, share: boolean|string}} options
   * @param {Reader} reader
   * @param {{changed(): void, closed(reason: string): void}} tell
   */
  constructor(options, reader, tell) {
    this.#options = options;
    this.#reader = reader;
    this.#tell = tell;
    const owner = {
      from: () => reader.at,
      admits: (/** @type {string} */ token) => this.#admits(token),
      onFrame: (/** @type {Frame} */ frame, /** @type {number} */ size) => this.#receive(frame, size),
      onState: (/** @type {ConnectionState} */ state) => this.#turned(state),
    };
    const platform = options.platform;
    this.#main = new Connection({ ...options, rungs: platform.WebSocket ? ['websocket', 'sse', 'poll'] : ['sse', 'poll'] }, owner);
    this.#catchUp = new Connection({ ...options, rungs: ['poll'] }, owner);
  }

  get isLeader() {
    return this.#tabs?.isLeader ?? true;
  }

  /** How the connection is that feeds this tab. */
  get state() {
    return this.#leader && !this.isLeader && this.#own.status !== 'offline'
      ? this.#leader : { ...this.#own, degraded: this.#degraded };
  }

  start() {
    this.#isRunning = true;
    this.#tabs ? this.#tabs.join() : this.#main.start();
  }

  stop() {
    this.#isRunning = false;
    this.#tabs?.leave();
    this.#main.stop();
    this.#catchUp.stop();
    this.#held = null;
    this.#leader = null;
  }

  /** @param {object} frame */
  send(frame) {
    this.#main.send(frame);
  }

  /** @param {boolean} isOtherNetwork */
  wake(isOtherNetwork) {
    this.#main.wake(isOtherNetwork);
    this.#catchUp.wake(isOtherNetwork);
    this.#tabs?.wake();
  }

  /** @param {string} token */
  async #admits(token) {
    const { platform, url, share } = this.#options;
    const group = await groupOf(platform, url, identityOf(token), share);
    if (group === this.#group) {
      return true;
    }

    const wasRunning = this.#isRunning;
    this.stop();
    this.#group = group;
    this.#tabs = group === null ? null : new Tabs(platform, group, {
      lead: () => this.#lead(),
      follow: () => this.#follow(),
      frame: (frame, size) => this.#hear(frame, size),
      state: state => this.#learn(state),
    });
    wasRunning && this.start();
    return false;
  }

  #lead() {
    this.#catchUp.stop();
    this.#held = null;
    this.#leader = null;
    if (this.#wasReplaced) {
      this.#tell.closed('replaced');
    } else {
      this.#main.start();
    }
  }

  #follow() {
    this.#main.stop();
    this.#readAlone();
  }

  #readAlone() {
    if (!this.#held) {
      this.#held = [];
      this.#reader.isLive = false;
      this.#catchUp.start();
    }
  }

  /** @param {LeaderState} state */
  #learn(state) {
    this.#wasReplaced = false;
    this.#leader = state;
    this.#tell.changed();
  }

  /** A frame of the leader. @param {Frame} frame @param {number} size */
  #hear(frame, size) {
    if (this.#held) {
      this.#held.push({ frame, size });
      this.#held.length > mostHeld && this.#held.shift();
    } else if (!this.#reader.receive(frame, size, false)) {
      this.#readAlone();
    }
  }

  /** A frame of a connection of this tab's own. @param {Frame} frame @param {number} size */
  #receive(frame, size) {
    this.#degraded = frame.degraded ?? this.#degraded;
    if (frame.type === 'ready') {
      this.#silence = (frame.heartbeat ?? 15) * 2_000 + 2_000;
    }

    this.isLeader && this.#tabs?.post(frame, size);
    frame.degraded && this.#share();
    if (!this.#reader.receive(frame, size, true)) {
      (this.#held ? this.#catchUp : this.#main).reread();
    } else if (this.#held && frame.type === 'live') {
      this.#catchUp.stop();
      const held = this.#held;
      this.#held = null;
      held.forEach(({ frame, size }) => this.#hear(frame, size));
    }
  }

  /** @param {ConnectionState} state */
  #turned(state) {
    this.#own = state;
    if (state.status !== 'closed') {
      this.#share();
      this.#tell.changed();
    } else if (state.reason === 'replaced' && this.#tabs) {
      // By another tab that took the lead, most likely: then its lock is not to be had.
      this.#wasReplaced = true;
      this.stop();
      this.start();
    } else {
      this.#tell.closed(/** @type {string} */ (state.reason));
    }
  }

  #share() {
    this.isLeader && this.#tabs?.postState({ ...this.#own, degraded: this.#degraded, silence: this.#silence });
  }
}
