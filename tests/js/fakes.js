import { EventEmitter, once } from 'node:events';

/** Events of one run, numbered from 1 and a second apart, with positions from `from`. */
export function eventsOf(run, steps, { thread = 't', from = 1 } = {}) {
  return steps.map(([type, data = {}], index) => ({
    cursor: `epoch1_${from + index}`, id: `${run}-${index}`, type, data, run, thread, sequence: index + 1,
    time: new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString(),
  }));
}

/** An element that listens and keeps what it is given; `document` hands them out by id. */
export class FakeElement extends EventTarget {
  value = '';
  dataset = {};
  hidden = false;
  firstChild = null;

  static document(...ids) {
    const elements = new Map(ids.map(id => [id, new FakeElement()]));
    globalThis.document = { getElementById: id => elements.get(id), activeElement: null };
    return id => elements.get(id);
  }

  get textContent() {
    return this.firstChild?.data ?? '';
  }

  append(text) {
    this.firstChild = { data: text, appendData(more) { this.data += more; } };
  }

  focus() {
    document.activeElement = this;
  }

  requestSubmit() {
    this.dispatchEvent(new Event('submit', { cancelable: true }));
  }
}

/** A WebSocket whose other end is the test. */
export class FakeSocket extends EventTarget {
  static opened = [];
  onclose = null;
  isClosed = false;

  constructor(url, protocols) {
    super();
    Object.assign(this, { url, protocols });
    FakeSocket.opened.push(this);
  }

  receive(frame) {
    this.dispatchEvent(Object.assign(new Event('message'), { data: JSON.stringify(frame) }));
  }

  close() {
    this.isClosed = true;
    this.dispatchEvent(new Event('close'));
    this.onclose?.({ code: 1005 });
  }
}

/** Something that is begun and ends when the test says so. */
export class Held {
  #events = new EventEmitter();
  calls = [];

  run = async (...args) => {
    this.calls.push(args);
    const [{ error, value }] = await once(this.#events, String(this.calls.length));
    if (error) {
      throw error;
    }

    return value;
  };

  async end(result) {
    this.#events.emit(String(this.calls.length), result);
    for (let turns = 0; turns < 10; turns++) {
      await null;
    }
  }
}

export const position = number => `epoch1_${number}`;

/** A frame of the events `from`…`to`. */
export function frame(from, to) {
  const events = Array.from({ length: to - from + 1 }, (_, index) => ({ cursor: position(from + index) }));
  return { type: 'events', after: position(from - 1), events, cursor: position(to) };
}
