/** A socket that never gets through. */
class DeadSocket {
  readyState = 3;
  onclose = null;

  constructor({ setTimeout }) {
    setTimeout(() => this.onclose?.({ code: 1006 }), 0);
  }

  send() { }

  close() { }
}

/**
 * The browser as the library sees it, with a hand on the cable: what passes can be watched, held back, doubled and cut.
 * Frames are those of a WebSocket; the other transports can only be cut.
 */
export class Wire {
  #platform; #onFrame; #window = new EventTarget();
  #open = new Set();
  #isDown = false;
  #next = 'pass';

  /**
   * @param {object} platform what the library asks of its surroundings
   * @param {(frame: object) => void} onFrame each frame that the library is about to see
   */
  constructor(platform, onFrame) {
    this.#platform = platform;
    this.#onFrame = onFrame;
    for (const type of ['online', 'pagehide', 'pageshow']) {
      platform.window.addEventListener(type, event => this.#window.dispatchEvent(new event.constructor(type, event)));
    }
  }

  /** The platform to give to the library. */
  get platform() {
    const wire = this;
    const { WebSocket, fetch, online } = this.#platform;
    class Socket extends WebSocket {
      onheard = null;

      constructor(url, protocols) {
        super(url, protocols);
        const cut = () => this.close();
        wire.#open.add(cut);
        this.addEventListener('message', ({ data }) => wire.#pass(data, data => this.onheard?.({ data })));
        this.addEventListener('close', () => wire.#open.delete(cut));
      }

      set onmessage(listener) {
        this.onheard = listener;
      }
    }

    return {
      ...this.#platform,
      window: this.#window,
      online: () => !this.#isDown && online(),
      fetch: (input, init) => this.#isDown ? Promise.reject(new TypeError('offline')) : this.#fetch(fetch, input, init),
      WebSocket: function Line(url, protocols) {
        return wire.#isDown ? new DeadSocket(wire.#platform) : new Socket(url, protocols);
      },
    };
  }

  /** Closes what is open. */
  cut() {
    [...this.#open].forEach(cut => cut());
  }

  /** The next events never arrive. */
  swallow() {
    this.#next = 'swallow';
  }

  /** The next events arrive twice. */
  duplicate() {
    this.#next = 'duplicate';
  }

  /** @param {number} milliseconds without a network */
  goDown(milliseconds) {
    this.#isDown = true;
    this.cut();
    return new Promise(resolve => {
      this.#platform.setTimeout(() => {
        this.#isDown = false;
        this.#window.dispatchEvent(new Event('online'));
        resolve();
      }, milliseconds);
    });
  }

  #pass(data, deliver) {
    const frame = JSON.parse(data);
    const isNext = frame.type === 'events' && this.#next !== 'pass';
    const times = !isNext ? 1 : this.#next === 'duplicate' ? 2 : 0;
    this.#next = isNext ? 'pass' : this.#next;
    for (let time = 0; time < times; time++) {
      this.#onFrame(frame);
      deliver(data);
    }
  }

  #fetch(fetch, input, init = {}) {
    const abort = new AbortController();
    const cut = () => abort.abort();
    this.#open.add(cut);
    init.signal?.addEventListener('abort', () => this.#open.delete(cut));
    return fetch(input, { ...init, signal: AbortSignal.any([abort.signal, ...init.signal ? [init.signal] : []]) });
  }
}
