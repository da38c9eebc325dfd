import { Log } from './log.js';

/**
 * A model of the service: one user's log and the wire of PROTOCOL.md on three transports, as small as it goes and without a
 * line of the client. Faults are asked for by name, of a function that the test gives.
 */
export class Server extends Log {
  runs = new Map();
  attempts = [];
  #connections = new Set();
  #waiting = new Set();

  /**
   * @param clock
   * @param options `fault(name)`: whether it is to happen now; `delay()`: milliseconds on the way; `limit`: events a frame
   */
  constructor(clock, { fault = () => false, delay = () => 0, limit = 1_000, accepts = () => true } = {}) {
    super();
    Object.assign(this, { clock, fault, delay, limit, accepts });
  }

  get connections() {
    return this.#connections.size;
  }

  /** Closes every connection, or one in so many. */
  cut(code, one = () => true) {
    [...this.#connections].filter(one).forEach(connection => connection.end(code));
  }

  changed() {
    this.#pump();
  }

  // --- Push: WebSocket and server-sent events --------------------------------------------------------------------------

  /** @param send (frame) => void; @param end (code) => void */
  serve({ after, client, send, end }) {
    const reader = this.start(after, client);
    const connection = {
      reader, client, since: this.clock.now(), end: code => {
        this.#close(connection);
        this.clock.setTimeout(() => end(code), this.delay());
      },
    };
    const emit = frame => {
      if (this.fault('lose') && frame.type !== 'ready') {
        return;
      }

      this.#inOrder(connection, () => send(frame));
      this.fault('double') && this.#inOrder(connection, () => send(frame));
    };
    connection.pump = () => {
      for (let frame; !connection.isMute && this.#connections.has(connection) && (frame = this.next(reader));) {
        emit(frame);
      }
    };
    const first = this.next({ ...reader }, 1);
    const resets = first?.type === 'reset';
    if (resets) {
      this.next(reader);
    } else if (first?.type === 'live') {
      this.next(reader);
    }

    emit({
      type: 'ready', cursor: reader.at, head: this.cursor(), degraded: [], heartbeat: 15,
      resume: resets ? 'reset' : first?.type === 'live' ? 'live' : 'replaying', ...resets && { reason: first.reason },
    });
    const beat = () => {
      connection.isMute || emit({ type: 'heartbeat', cursor: reader.at });
      connection.beat = this.clock.setTimeout(beat, 15_000);
    };
    connection.beat = this.clock.setTimeout(beat, 15_000);
    this.#connections.add(connection);
    connection.pump();
    return connection;
  }

  // One way, one order.
  #inOrder(connection, run) {
    const at = Math.max(connection.busyUntil ?? 0, this.clock.now() + this.delay());
    connection.busyUntil = at;
    this.clock.setTimeout(() => connection.isGone || run(), at - this.clock.now());
  }

  #close(connection) {
    this.clock.clearTimeout(connection.beat);
    this.#connections.delete(connection);
  }

  mute(one = () => true) {
    [...this.#connections].filter(one).forEach(connection => { connection.isMute = true; });
  }

  #pump() {
    this.#connections.forEach(connection => connection.pump());
    this.#waiting.forEach(wake => wake());
  }

  // --- The network, as a tab sees it -----------------------------------------------------------------------------------

  connect(url, protocols, tab) {
    this.attempts.push({ at: this.clock.now(), transport: 'websocket', url, tab });
    const socket = { readyState: 0 };
    let connection;
    const close = code => tab.gate(() => {
      socket.readyState = 3;
      socket.onclose?.({ code });
    });
    socket.close = () => {
      socket.readyState = 3;
      if (connection) {
        connection.isGone = true;
        this.#close(connection);
      }
    };
    socket.send = text => connection && this.#take(JSON.parse(text), url);
    this.clock.setTimeout(() => {
      if (socket.readyState === 3) {
        return;
      }

      if (this.fault('upgrade')) {
        close(1006);
      } else if (!this.accepts(protocols[1].slice('bearer.'.length))) {
        close(4401);
      } else {
        socket.readyState = 1;
        connection = this.serve({
          after: url.searchParams.get('after'), client: url.searchParams.get('client'),
          send: frame => tab.gate(() => socket.readyState === 1 && socket.onmessage?.({ data: JSON.stringify(frame) })),
          end: close,
        });
        connection.tab = tab;
      }
    }, this.delay());
    return socket;
  }

  #take(frame, url) {
    const client = url.searchParams.get('client');
    if (frame.type === 'ack' && client) {
      this.acks.set(client, frame.cursor);
    }
  }

  async fetch(url, init, tab) {
    const accept = init.headers.Accept ?? '';
    this.attempts.push({ at: this.clock.now(), transport: accept.includes('event-stream') ? 'sse' : 'poll', url, tab });
    await this.#wait(this.delay(), init.signal);
    if (this.fault('network')) {
      throw new TypeError('Failed to fetch');
    }

    if (!this.accepts(init.headers.Authorization.slice('Bearer '.length))) {
      return response(401, {});
    }

    if (init.method === 'POST') {
      return response(202, this.#start(url, init));
    }

    return accept.includes('event-stream') ? this.#stream(url, init, tab) : response(200, await this.#page(url, init));
  }

  #start(url, { headers, body }) {
    const key = headers['Idempotency-Key'];
    this.runs.has(key) || this.runs.set(key, { run: `r${this.runs.size + 1}`, thread: url.pathname.split('/')[3], status: 'queued', cursor: this.cursor(), ...JSON.parse(body) });
    return this.runs.get(key);
  }

  async #page(url, { signal }) {
    const query = Object.fromEntries(url.searchParams);
    if (query.client && query.after) {
      this.acks.set(query.client, query.after);
    }

    const reader = this.start(query.after ?? null, query.client);
    let frame = this.next(reader, Number(query.limit ?? this.limit));
    if (frame?.type === 'live' && query.wait > 0) {
      await this.#news(query.wait * 1_000, signal);
      frame = this.next(reader);
    }

    const after = frame?.after ?? reader.at;
    const reason = frame?.type === 'reset' ? frame.reason : undefined;
    const events = frame?.events ?? (reason && this.next(reader)?.events) ?? [];
    const resume = reason ? 'reset' : reader.at === this.cursor() ? 'live' : 'replaying';
    return { events, after, cursor: reader.at, head: this.cursor(), resume, ...reason && { reason }, degraded: [] };
  }

  #news(milliseconds, signal) {
    return this.#until(milliseconds, signal, end => {
      this.#waiting.add(end);
      return () => this.#waiting.delete(end);
    });
  }

  #wait(milliseconds, signal) {
    return this.#until(milliseconds, signal, () => () => { });
  }

  #until(milliseconds, signal, listen) {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.clock.clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        unlisten();
        resolve();
      };
      const abort = () => {
        reject(new DOMException('aborted', 'AbortError'));
        end();
      };
      const unlisten = listen(end);
      const timer = this.clock.setTimeout(end, milliseconds);
      signal?.addEventListener('abort', abort);
    });
  }

  #stream(url, { signal }, tab) {
    if (this.fault('stream')) {
      return response(502, {});
    }

    const parts = [new TextEncoder().encode('retry: 100\n\n')];
    let wake = () => { }, isOver = false;
    const push = text => tab.gate(() => {
      parts.push(new TextEncoder().encode(text));
      wake();
    });
    const connection = this.serve({
      after: url.searchParams.get('after'), client: url.searchParams.get('client'),
      send: frame => push(frame.type === 'events'
        ? frame.events.map(event => `id: ${event.cursor}\ndata: ${JSON.stringify(event)}\n\n`).join('')
        : `event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`),
      end: () => {
        isOver = true;
        wake();
      },
    });
    connection.tab = tab;
    signal.addEventListener('abort', () => {
      connection.isGone = true;
      this.#close(connection);
      isOver = true;
      wake();
    });
    const read = async () => {
      while (parts.length === 0 && !isOver) {
        await new Promise(resolve => { wake = resolve; });
      }

      return parts.length > 0 ? { value: parts.shift(), done: false } : { done: true };
    };
    return { ok: true, status: 200, headers: new Headers({ 'Content-Type': 'text/event-stream' }), body: { getReader: () => ({ read }) } };
  }
}

const response = (status, body) => ({
  ok: status < 300, status, headers: new Headers({ 'Content-Type': 'application/json' }),
  text: async () => JSON.stringify(body), json: async () => body,
});
