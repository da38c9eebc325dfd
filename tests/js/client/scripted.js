import { open } from '../../../src/Delivery.Api/client/client.js';
import { Browser } from './browser.js';
import { Clock, settled } from './clock.js';

export const position = number => `epoch1_${number}`;
export const positions = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => position(from + index));
export const eventsOf = (from, to, more = {}) => positions(from, to).map(cursor => ({ cursor, type: 'note', run: 'r', ...more }));

/** A frame of the events `from`…`to`. */
export const frame = (from, to, more) =>
  ({ type: 'events', after: position(from - 1), events: eventsOf(from, to, more), cursor: position(to) });

export const ready = (cursor, resume = 'replaying', more = {}) =>
  ({ type: 'ready', cursor, head: position(9), resume, degraded: [], heartbeat: 15, ...more });

export const live = cursor => ({ type: 'live', cursor });

/** A network of which a test plays the other end: each socket and request is kept, and answered when the test says. */
export class Script {
  sockets = [];
  requests = [];

  connect(url, protocols) {
    const socket = {
      url, protocols, sent: [], readyState: 1, isClosed: false,
      after: url.searchParams.get('after'),
      close: () => { socket.isClosed = true; },
      send: text => socket.sent.push(JSON.parse(text)),
      receive: frame => socket.onmessage?.({ data: JSON.stringify(frame) }),
      closeWith: code => socket.onclose?.({ code }),
    };
    this.sockets.push(socket);
    return socket;
  }

  fetch(url, init) {
    return new Promise((resolve, reject) => {
      const request = {
        url, init, ...init,
        isAborted: false,
        answer: (status, body, headers) =>
          resolve(new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers })),
        fail: () => reject(new TypeError('Failed to fetch')),
        /** Answers with an event stream; `push` adds to it, `end` ends it. */
        stream: () => {
          let stream;
          resolve(new Response(new ReadableStream({ start: controller => { stream = controller; } }), {
            headers: { 'Content-Type': 'text/event-stream; charset=utf-8' },
          }));
          return {
            push: text => stream.enqueue(typeof text === 'string' ? new TextEncoder().encode(text) : text),
            end: () => stream.close(),
          };
        },
      };
      init.signal?.addEventListener('abort', () => {
        request.isAborted = true;
        reject(new DOMException('aborted', 'AbortError'));
      });
      this.requests.push(request);
    });
  }

  get socket() {
    return this.sockets.at(-1);
  }

  get request() {
    return this.requests.at(-1);
  }

  get transports() {
    return this.requests.map(({ headers }) => headers.Accept);
  }
}

/** A client on a scripted network, alone unless told, that notes what it is given. */
export async function begin(options = {}, { listens = true, tab, clock = tab?.browser.clock ?? new Clock() } = {}) {
  const script = new Script();
  const page = tab ?? new Browser(clock).tab(script);
  const tokens = [];
  const events = open({
    url: 'https://example.test/base/', share: false, after: '0',
    token: () => {
      tokens.push(`token-${tokens.length + 1}`);
      return tokens.at(-1);
    },
    ...options,
  }, page.platform);
  const seen = [], resets = [], states = [], errors = [];
  events.on('state', state => states.push(state));
  events.on('error', failure => errors.push(failure));
  const deaf = events.on('reset', reset => { resets.push(reset); });
  listens && events.on('*', event => { seen.push(event.cursor); });
  await settled();
  return {
    clock, script, tab: page, events, deaf, seen, resets, states, errors, tokens,
    async receive(...frames) {
      frames.forEach(frame => script.socket.receive(frame));
      await settled();
    },
    async closeWith(code) {
      script.socket.closeWith(code);
      await settled();
    },
  };
}
