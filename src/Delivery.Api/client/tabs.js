/** @import { Frame, Platform } from './types.js' */
/** @import { ConnectionState } from './connection.js' */

/**
 * Many tabs, one connection: the holder of a Web Lock leads and broadcasts what it receives. Not a SharedWorker: Chrome on
 * Android has none, its script must be of the page's origin, and the token provider lives in the page. A hidden leader
 * still gets its messages, but its timers run once a minute and it may be frozen: so a visible tab that hears nothing of it
 * steals the lock. Two leaders for a moment do no harm, since every tab checks continuity itself.
 *
 * @typedef {ConnectionState & {degraded: string[], silence: number}} LeaderState
 * @typedef {{lead(): void, follow(): void, frame(frame: Frame, size: number): void, state(state: LeaderState): void}} Tell
 */

const patience = 2_000;

export class Tabs {
  #platform; #name; #tell;
  /** @type {BroadcastChannel|undefined} */
  #channel;
  #isLeader = false;
  /** Requests of former turns are void. */
  #turn = 0;
  #release = () => { };
  #abort = new AbortController();
  /** @type {LeaderState|undefined} */
  #state;
  #silence = 32_000;
  /** @type {any} */
  #timer;

  /**
   * @param {Platform} platform
   * @param {string} name
   * @param {Tell} tell
   */
  constructor(platform, name, tell) {
    this.#platform = platform;
    this.#name = `agent-events:${name}`;
    this.#tell = tell;
  }

  get isLeader() {
    return this.#isLeader;
  }

  join() {
    this.#channel = new this.#platform.BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#request({ ifAvailable: true });
  }

  /** Gives the lock up too: a page that holds one can't go to the back/forward cache. */
  leave() {
    this.#turn++;
    this.#isLeader = false;
    this.#abort.abort();
    this.#release();
    this.#platform.clearTimeout(this.#timer);
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** The leader shares a frame. @param {Frame} frame @param {number} size */
  post(frame, size) {
    this.#isLeader && this.#channel?.postMessage({ frame, size });
  }

  /** The leader shares how it is. @param {LeaderState} state */
  postState(state) {
    this.#state = state;
    this.#isLeader && this.#channel?.postMessage({ state });
  }

  /** This tab is looked at: is the leader awake? */
  wake() {
    if (this.#channel && !this.#isLeader) {
      this.#channel.postMessage({ ping: true });
      this.#expect(patience);
    }
  }

  /** @param {LockOptions} options */
  #request(options) {
    const turn = ++this.#turn;
    this.#abort.abort();
    this.#platform.locks?.request(this.#name, options, lock => {
      if (turn !== this.#turn) {
        return;
      }

      if (!lock) {
        this.#follow();
        return;
      }

      this.#isLeader = true;
      this.#platform.clearTimeout(this.#timer);
      this.#tell.lead();
      return new Promise(resolve => { this.#release = () => resolve(undefined); });
    }).catch(() => {
      // Stolen.
      turn === this.#turn && this.#follow();
    });
  }

  #follow() {
    this.#isLeader = false;
    this.#release();
    this.#abort.abort();
    const abort = new AbortController();
    this.#request({ signal: abort.signal });
    this.#abort = abort;
    this.#tell.follow();
    this.wake();
  }

  /** @param {any} message */
  #hear({ frame, size, state, ping }) {
    if (this.#isLeader) {
      ping && this.#state && this.postState(this.#state);
      return;
    }

    if (ping) {
      return;
    }

    this.#silence = state?.silence ?? this.#silence;
    this.#expect(this.#silence);
    frame ? this.#tell.frame(frame, size) : this.#tell.state(state);
  }

  /** @param {number} milliseconds within which the leader is to be heard of */
  #expect(milliseconds) {
    this.#platform.clearTimeout(this.#timer);
    this.#timer = this.#platform.setTimeout(() => {
      this.#platform.visible() && this.#request({ steal: true });
    }, milliseconds + this.#platform.random() * 500);
  }
}

/**
 * What tabs have to agree in to share a connection, so that two users never do. Null: not to be shared.
 * @param {Platform} platform
 * @param {string} url
 * @param {string} identity
 * @param {boolean|string} share
 */
export async function groupOf({ locks, BroadcastChannel, crypto }, url, identity, share) {
  if (!share || !locks || !BroadcastChannel || (share === true && !identity)) {
    return null;
  }

  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify([share, url, identity])));
  return Array.from(new Uint8Array(digest, 0, 16), byte => byte.toString(16).padStart(2, '0')).join('');
}
