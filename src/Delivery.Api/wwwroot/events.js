import { TokenNeeded } from './api.js';
import { fullJitter } from './backoff.js';
import { afterClose, continuation } from './protocol.js';

const connectTimeout = 10_000;

/**
 * Reads the user's events over a WebSocket from the oldest kept one on, for ever: each once and in order, whatever
 * happens to the connection. `onState` gets `{phase, degraded, reason}` with phase `connecting`, `catching-up`, `live`,
 * `offline` or `stopped`; `reason` says why it stopped: `token` or one of protocol.js.
 */
export class EventConnection {
  #url; #session; #on; #WebSocket; #random;
  #cursor = '0';
  #socket = null;
  #generation = 0;
  #failures = 0;
  #tokenRefused = false;
  #timer = null;
  #heartbeat = 15_000;
  #heardAt = 0;
  #state = { phase: 'connecting', degraded: [], reason: null };

  constructor({ url, session, onEvents, onReset, onState, WebSocket = globalThis.WebSocket, random = Math.random }) {
    this.#url = url;
    this.#session = session;
    this.#on = { events: onEvents, reset: onReset, state: onState };
    this.#WebSocket = WebSocket;
    this.#random = random;
  }

  start() {
    this.#failures = 0;
    this.#show({ phase: 'connecting', degraded: [], reason: null });
    this.#connect();
  }

  stop() {
    this.#abandon();
    this.#show({ phase: 'stopped', reason: null });
  }

  /** The network changed: the open socket may be dead without knowing, so ask anew at once. */
  networkChanged() {
    if (this.#state.phase !== 'stopped') {
      this.start();
    }
  }

  /** The page woke up. Timers stand still while a device sleeps, hence the wall clock. */
  wake() {
    if (this.#state.phase === 'offline' || (this.#socket && Date.now() - this.#heardAt > this.#silence)) {
      this.networkChanged();
    }
  }

  get #silence() {
    return this.#heartbeat * 2 + 2_000;
  }

  async #connect() {
    this.#abandon();
    const generation = this.#generation;
    let token;
    try {
      token = await this.#session.token();
    } catch (error) {
      if (generation === this.#generation) {
        error instanceof TokenNeeded ? this.#giveUp('token') : this.#retry();
      }
      return;
    }

    if (generation === this.#generation) {
      this.#open(token);
    }
  }

  #open(token) {
    const url = new URL(this.#url);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('after', this.#cursor);
    let socket;
    try {
      socket = new this.#WebSocket(url.href, ['agent-events.v1', `bearer.${token}`]);
    } catch {
      // A token that is no valid subprotocol is no token of ours.
      this.#giveUp('token');
      return;
    }

    this.#socket = socket;
    this.#expect(connectTimeout);
    socket.onmessage = message => {
      if (socket === this.#socket) {
        this.#expect(this.#silence);
        this.#receive(message.data);
      }
    };
    socket.onclose = close => {
      if (socket === this.#socket) {
        this.#closed(close.code, token);
      }
    };
  }

  #receive(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      this.#retry();
      return;
    }

    switch (frame.type) {
      case 'ready':
        this.#ready(frame);
        break;
      case 'events':
        this.#events(frame);
        break;
      case 'live':
        this.#compare(frame.cursor);
        this.#caughtUp();
        break;
      case 'status':
        this.#show({ degraded: frame.degraded ?? [] });
        break;
      case 'heartbeat':
        this.#compare(frame.cursor);
        break;
      case 'reset':
        this.#reset(frame);
        this.#show({ phase: 'catching-up' });
        break;
      default:
        break;
    }
  }

  #ready(frame) {
    this.#heartbeat = (frame.heartbeat ?? 15) * 1_000;
    this.#tokenRefused = false;
    this.#expect(this.#silence);
    if (frame.resume === 'reset') {
      this.#reset(frame);
    } else {
      this.#compare(frame.cursor);
    }

    if (this.#socket) {
      this.#show({ phase: 'catching-up', degraded: frame.degraded ?? [] });
    }

    if (frame.resume === 'live') {
      this.#caughtUp();
    }
  }

  #events(frame) {
    const events = continuation(this.#cursor, frame);
    if (events === null) {
      this.#retry();
      return;
    }

    this.#cursor = events.at(-1)?.cursor ?? this.#cursor;
    if (events.length > 0) {
      this.#on.events(events);
    }
  }

  #caughtUp() {
    if (this.#socket) {
      this.#failures = 0;
      this.#show({ phase: 'live' });
    }
  }

  #reset(frame) {
    this.#cursor = frame.cursor ?? '0';
    this.#on.reset(frame.reason ?? 'epoch');
  }

  /** The server says where this connection stands; another place than ours means that frames were lost. */
  #compare(cursor) {
    if (cursor && this.#cursor === '0') {
      this.#cursor = cursor;
    } else if (cursor && cursor !== this.#cursor) {
      this.#retry();
    }
  }

  #closed(code, token) {
    const next = afterClose(code);
    if (next === 'retry') {
      this.#retry();
    } else if (next === 'token') {
      this.#renewToken(token);
    } else {
      this.#giveUp(next);
    }
  }

  /** One refusal is an expired token and worth a new one at once; a second in a row is not. */
  #renewToken(token) {
    const again = this.#tokenRefused;
    this.#tokenRefused = true;
    this.#session.forget(token);
    if (again) {
      this.#retry();
    } else {
      this.#connect();
    }
  }

  #retry() {
    this.#abandon();
    this.#show({ phase: 'offline', degraded: [] });
    this.#timer = setTimeout(() => this.#connect(), fullJitter(this.#failures++, { random: this.#random }));
  }

  #giveUp(reason) {
    this.#abandon();
    this.#show({ phase: 'stopped', degraded: [], reason });
  }

  /** Lets go of the socket; whatever it still reports is not listened to. */
  #abandon() {
    this.#generation++;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #expect(within) {
    clearTimeout(this.#timer);
    this.#heardAt = Date.now();
    this.#timer = setTimeout(() => this.#retry(), within);
  }

  #show(change) {
    this.#state = { ...this.#state, ...change };
    this.#on.state(this.#state);
  }
}
