/** A WebSocket under the control of a test. */
export class FakeSocket {
  static opened = [];

  constructor(url, protocols) {
    this.url = new URL(url);
    this.protocols = protocols;
    this.isClosed = false;
    FakeSocket.opened.push(this);
  }

  static get last() {
    return FakeSocket.opened.at(-1);
  }

  get after() {
    return this.url.searchParams.get('after');
  }

  receive(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  closeWith(code) {
    this.onclose({ code });
  }

  close() {
    this.isClosed = true;
  }
}

/** Hands out `token-1`, `token-2` …; `refusal`, when set, is thrown instead. */
export class FakeSession {
  refusal = null;
  #count = 1;

  async token() {
    if (this.refusal) {
      throw this.refusal;
    }

    return `token-${this.#count}`;
  }

  forget(token) {
    if (token === `token-${this.#count}`) {
      this.#count++;
    }
  }
}

export const position = number => `epoch1_${number}`;

/** A frame of the events `from`…`to`. */
export function frame(from, to) {
  const events = Array.from({ length: to - from + 1 }, (_, index) => ({ cursor: position(from + index) }));
  return { type: 'events', after: position(from - 1), events, cursor: position(to) };
}

export const ready = (cursor, resume = 'replaying', more = {}) =>
  ({ type: 'ready', cursor, head: position(9), resume, degraded: [], heartbeat: 15, ...more });
