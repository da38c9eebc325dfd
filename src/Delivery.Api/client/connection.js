/** @import { Close, Frame, Link, LinkOptions, Platform } from './types.js' */
import { fullJitter } from './backoff.js';
import { afterClose, isUnheard } from './closing.js';
import { Ladder } from './ladder.js';
import { TokenUnavailable, Tokens, renewalOf } from './token.js';
import { openPoll } from './transports/poll.js';
import { openSse } from './transports/sse.js';
import { openWebSocket } from './transports/websocket.js';

/** @type {Record<string, (options: LinkOptions) => Link>} */
const transports = { websocket: openWebSocket, sse: openSse, poll: openPoll };
const patience = 10_000;
const spacing = 250;
/** What a connection must have been live for to count as sound. */
const sound = 5_000;

/**
 * @typedef {{status: 'connecting'|'open'|'offline'|'closed', retryAt: number|null, reason: string|null,
 *   transport: string|null}} ConnectionState
 *
 * @typedef {object} Owner
 * @property {() => string|null} from the cursor to read on from
 * @property {(token: string) => Promise<boolean>} admits whether this connection is still wanted, given whose token it is
 * @property {(frame: Frame, size: number) => void} onFrame
 * @property {(state: ConnectionState) => void} onState
 *
 * @typedef {{name: string, isReady: boolean, link: Link|null}} Line a transport in use or on trial
 */

/**
 * One connection for ever: opens it, notices when it is dead, opens it anew. At most one attempt is under way, and two
 * begin at least 250 ms apart, whatever wakes it.
 */
export class Connection {
  #platform; #url; #client; #tokens; #owner; #ladder;
  /** @type {Line|null} */
  #line = null;
  /** @type {Line|null} replaces the line when it is ready */
  #trial = null;
  #isRunning = false;
  #isWaiting = false;
  #generation = 0;
  #failures = 0;
  #refusals = 0;
  #token = '';
  #silence = 0;
  #heardAt = 0;
  #liveAt = Infinity;
  #attemptedAt = -Infinity;
  /** @type {{from: number, length: number}} a wait that nothing cuts short */
  #hold = { from: 0, length: 0 };
  /** @type {Record<string, any>} */
  #timers = {};

  /**
   * @param {{platform: Platform, url: string, client?: string, tokens: Tokens, rungs: string[]}} options
   * @param {Owner} owner
   */
  constructor({ platform, url, client, tokens, rungs }, owner) {
    this.#platform = platform;
    this.#url = url;
    this.#client = client;
    this.#tokens = tokens;
    this.#owner = owner;
    this.#ladder = new Ladder(rungs);
  }

  start() {
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.#schedule(0);
    }
  }

  stop() {
    this.#isRunning = false;
    this.#abandon();
  }

  /** @param {object} frame */
  send(frame) {
    this.#line?.isReady && this.#line.link?.send?.(frame);
  }

  /** Reads again from the cursor: something is missing. */
  reread() {
    this.#lost({});
  }

  /** @param {boolean} isOtherNetwork what is open may be dead without knowing */
  wake(isOtherNetwork) {
    if (!this.#isRunning) {
      return;
    }

    const now = this.#platform.now();
    const isDead = this.#line?.isReady ? now - this.#heardAt > this.#silence : now - this.#attemptedAt > patience;
    if (isOtherNetwork) {
      this.#failures = 0;
      this.#ladder.restart();
    }

    if (this.#isWaiting || isDead || (isOtherNetwork && this.#line?.isReady)) {
      this.#schedule(0);
    }
  }

  /** @param {number} delay */
  #schedule(delay) {
    this.#abandon();
    const now = this.#platform.now();
    // Bounded each by its own length: the wall clock may jump back.
    const left = (/** @type {number} */ from, /** @type {number} */ length) => Math.min(from + length - now, length);
    const wait = Math.max(delay, left(this.#hold.from, this.#hold.length), left(this.#attemptedAt, spacing));
    if (wait <= 0) {
      this.#attempt();
      return;
    }

    this.#isWaiting = true;
    this.#after('attempt', wait, () => this.#attempt());
    this.#show('offline', { retryAt: now + wait });
  }

  async #attempt() {
    const generation = this.#abandon();
    this.#attemptedAt = this.#platform.now();
    this.#after('attempt', patience, () => this.#ended(this.#line, {}));
    this.#show('connecting');
    try {
      const token = await this.#tokens.get();
      if (generation === this.#generation && await this.#owner.admits(token) && generation === this.#generation) {
        this.#token = token;
        this.#line = this.#open(this.#ladder.rung);
      }
    } catch (error) {
      if (generation === this.#generation) {
        error instanceof TokenUnavailable ? this.#giveUp('token') : this.#lost({});
      }
    }
  }

  /** @param {string} name */
  #open(name) {
    /** @type {Line} */
    const line = { name, isReady: false, link: null };
    line.link = transports[name]({
      url: this.#url,
      token: () => this.#token,
      after: this.#owner.from(),
      client: this.#client,
      platform: this.#platform,
      onFrame: (frame, size) => this.#receive(line, frame, size),
      onClose: close => this.#ended(line, close),
    });
    return line;
  }

  /**
   * @param {Line} line
   * @param {Frame} frame
   * @param {number} size
   */
  #receive(line, frame, size) {
    if (line === this.#trial && frame.type === 'ready') {
      this.#line?.link?.close();
      this.#line = line;
      this.#trial = null;
    } else if (line !== this.#line) {
      return;
    }

    if (frame.type === 'ready') {
      this.#ready(line, frame);
    } else if (frame.type === 'live') {
      this.#liveAt = this.#platform.now();
    }

    this.#heardAt = this.#platform.now();
    this.#after('attempt', this.#silence, () => this.#lost({}));
    this.#owner.onFrame(frame, size);
  }

  /**
   * @param {Line} line
   * @param {Frame} frame
   */
  #ready(line, frame) {
    line.isReady = true;
    this.#refusals = 0;
    this.#silence = (frame.heartbeat ?? 15) * 2_000 + 2_000;
    if (frame.resume === 'live') {
      this.#liveAt = this.#platform.now();
    }

    this.#ladder.worked(line.name);
    this.#show('open', { transport: line.name });
    this.#keepToken();
    this.#awaitBetter();
  }
  /**
   * @param {Line|null} line
   * @param {Close} close
   */
  #ended(line, { code, retry = 0, unreachable }) {
    if (line && line === this.#trial) {
      this.#endTrial();
      return;
    }

    if (line !== this.#line) {
      return;
    }

    if (unreachable) {
      this.#ladder.restart();
    } else if (line && !line.isReady && isUnheard(code) && this.#platform.online()) {
      this.#ladder.failed();
    }

    const next = afterClose(code);
    if (next === 'retry') {
      this.#lost({ code, retry });
    } else if (next !== 'token') {
      this.#giveUp(next);
    } else {
      this.#tokens.refuse(this.#token);
      ++this.#refusals < 2 ? this.#schedule(0) : this.#giveUp('token');
    }
  }

  /** @param {Close} close */
  #lost({ code, retry = 0 }) {
    const now = this.#platform.now();
    if (now - this.#liveAt >= sound) {
      this.#failures = 0;
    }

    const isOverload = code === 1013;
    const delay = Math.max(retry, fullJitter(this.#failures++, this.#platform.random, isOverload ? 30_000 : 8_000));
    this.#hold = { from: now, length: isOverload ? delay : retry };
    this.#schedule(delay);
  }

  /** @param {string} reason */
  #giveUp(reason) {
    this.stop();
    this.#show('closed', { reason });
  }

  /**
   * Opens another transport beside the one in use, which it replaces when it is ready.
   * @param {string} name
   */
  #try(name) {
    this.#trial?.link?.close();
    this.#trial = this.#open(name);
    this.#after('trial', patience, () => this.#endTrial());
  }

  #endTrial() {
    this.#trial?.link?.close();
    this.#trial = null;
    this.#ladder.trialFailed();
    this.#awaitBetter();
  }

  #awaitBetter() {
    const wait = this.#ladder.patience;
    if (wait !== null) {
      this.#after('trial', wait, () => this.#try(this.#ladder.better));
    }
  }

  /** Asks for the next token before this one ends. */
  #keepToken() {
    const wait = renewalOf(this.#token, this.#platform.now());
    if (wait !== null) {
      this.#after('token', wait, () => this.#renew());
    }
  }

  async #renew() {
    const generation = this.#generation;
    // Without a new one it ends when the server says so.
    const token = await this.#tokens.renew().catch(() => this.#token);
    if (generation === this.#generation && await this.#owner.admits(token) && generation === this.#generation) {
      if (token !== this.#token) {
        this.#token = token;
        this.#line?.name === 'sse' ? this.#try('sse') : this.send({ type: 'auth', token });
      }

      this.#keepToken();
    }
  }

  /** Lets go of everything; what it still reports is not listened to. */
  #abandon() {
    Object.values(this.#timers).forEach(this.#platform.clearTimeout);
    this.#timers = {};
    this.#isWaiting = false;
    this.#liveAt = Infinity;
    this.#line?.link?.close();
    this.#trial?.link?.close();
    this.#line = this.#trial = null;
    return ++this.#generation;
  }

  /**
   * @param {string} name one timer a name
   * @param {number} milliseconds
   * @param {() => void} run
   */
  #after(name, milliseconds, run) {
    this.#platform.clearTimeout(this.#timers[name]);
    this.#timers[name] = this.#platform.setTimeout(run, milliseconds);
  }

  /**
   * @param {ConnectionState['status']} status
   * @param {Partial<ConnectionState>} [more]
   */
  #show(status, more) {
    this.#owner.onState({ status, retryAt: null, reason: null, transport: null, ...more });
  }
}
