import { createHash } from 'node:crypto';

/** Web Locks (W3C) of one browser: requests in their order, ifAvailable, steal, signal. */
class Locks {
  #held = new Map();
  #queues = new Map();

  /** What one tab sees; `gate` holds its callbacks back while the tab is frozen. */
  of(gate) {
    const mine = new Set();
    let isGone = false;
    return {
      request: (name, options, callback) => new Promise((resolve, reject) => {
        const request = { name, callback, resolve, reject, gate, mine };
        options.signal?.addEventListener('abort', () => this.#withdraw(request));
        queueMicrotask(() => isGone || this.#ask(request, options));
      }),
      dropAll: () => {
        isGone = true;
        mine.forEach(request => this.#release(request));
      },
    };
  }

  holder(name) {
    return this.#held.get(name)?.mine;
  }

  get count() {
    return this.#held.size + [...this.#queues.values()].flat().length;
  }

  #ask(request, { ifAvailable, steal, signal }) {
    if (signal?.aborted) {
      return;
    }

    const holder = this.#held.get(request.name);
    if (steal && holder) {
      this.#held.delete(request.name);
      holder.mine.delete(holder);
      holder.gate(() => holder.reject(new DOMException('stolen', 'AbortError')));
    }

    if (!this.#held.has(request.name)) {
      this.#grant(request);
    } else if (ifAvailable) {
      request.gate(() => request.resolve(request.callback(null)));
    } else {
      this.#queues.set(request.name, [...this.#queues.get(request.name) ?? [], request]);
      request.mine.add(request);
    }
  }

  #grant(request) {
    this.#held.set(request.name, request);
    request.mine.add(request);
    request.gate(async () => {
      const result = await request.callback({ name: request.name });
      request.resolve(result);
      this.#release(request);
    });
  }

  #withdraw(request) {
    const queue = this.#queues.get(request.name) ?? [];
    if (queue.includes(request)) {
      this.#queues.set(request.name, queue.filter(other => other !== request));
      request.mine.delete(request);
      request.reject(new DOMException('aborted', 'AbortError'));
    }
  }

  #release(request) {
    request.mine.delete(request);
    if (this.#held.get(request.name) !== request) {
      this.#withdraw(request);
      return;
    }

    this.#held.delete(request.name);
    const [next, ...rest] = this.#queues.get(request.name) ?? [];
    if (next) {
      this.#queues.set(request.name, rest);
      this.#grant(next);
    }
  }
}

/** A browser: the locks, channels and tabs of one origin. */
export class Browser {
  locks = new Locks();
  channels = new Set();
  /** Whether a message between tabs is lost, for tests of what must not depend on them. */
  loses = () => false;

  constructor(clock, random = () => 0.5) {
    this.clock = clock;
    this.random = random;
  }

  tab(network) {
    return new Tab(this, network);
  }
}

/** One page: the `platform` of the client, and what a test can do to it. */
export class Tab {
  isVisible = true;
  isOnline = true;
  #frozen = null;
  #listeners = 0;
  #timers = new Set();
  #channels = new Set();

  /** @param network {connect(url, protocols, tab): socket, fetch(url, init, tab): Promise<Response>} */
  constructor(browser, network) {
    const { clock } = browser;
    const tab = this;
    const gate = run => this.gate(run);
    this.browser = browser;
    this.window = this.#target();
    this.document = Object.assign(this.#target(), { baseURI: 'https://example.test/' });
    this.locks = browser.locks.of(gate);
    this.platform = {
      now: clock.now,
      random: browser.random,
      locks: this.locks,
      window: this.window,
      document: this.document,
      online: () => this.isOnline,
      visible: () => this.isVisible,
      crypto: { subtle: { digest: async (_, bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()).buffer } },
      setTimeout: (run, after) => {
        // Due in a frozen page it waits, and may still be cleared.
        const id = clock.setTimeout(() => gate(() => this.#timers.delete(id) && run()), after);
        this.#timers.add(id);
        return id;
      },
      clearTimeout: id => {
        this.#timers.delete(id);
        clock.clearTimeout(id);
      },
      fetch: (url, init) => network.fetch(new URL(url), init, this),
      WebSocket: function (url, protocols) {
        return network.connect(new URL(url), protocols, tab);
      },
      BroadcastChannel: function (name) {
        return tab.#channel(name);
      },
    };
  }

  /** Timers, listeners and channels that are still there. */
  get leftovers() {
    return { timers: this.#timers.size, listeners: this.#listeners, channels: this.#channels.size };
  }

  gate(run) {
    this.#frozen ? this.#frozen.push(run) : run();
  }

  get isFrozen() {
    return this.#frozen !== null;
  }

  freeze() {
    this.#frozen ??= [];
  }

  thaw() {
    const waiting = this.#frozen ?? [];
    this.#frozen = null;
    waiting.forEach(run => run());
  }

  show(isVisible) {
    this.isVisible = isVisible;
    this.document.dispatchEvent(new Event('visibilitychange'));
  }

  /** Gone without a word: nothing of it runs any more. */
  kill() {
    this.#frozen = { push() { } };
    this.#channels.forEach(channel => channel.close());
    this.locks.dropAll();
  }

  #target() {
    const target = new EventTarget();
    const { addEventListener, removeEventListener } = target;
    target.addEventListener = (...given) => {
      this.#listeners++;
      addEventListener.apply(target, given);
    };
    target.removeEventListener = (...given) => {
      this.#listeners--;
      removeEventListener.apply(target, given);
    };
    return target;
  }

  #channel(name) {
    const all = this.browser.channels;
    const channel = {
      postMessage: message => {
        const data = structuredClone(message);
        for (const other of all) {
          if (other !== channel && other.name === name && !this.browser.loses(data)) {
            queueMicrotask(() => other.tab.gate(() => all.has(other) && other.onmessage?.({ data })));
          }
        }
      },
      close: () => {
        all.delete(channel);
        this.#channels.delete(channel);
      },
      name,
      tab: this,
    };
    all.add(channel);
    this.#channels.add(channel);
    return channel;
  }
}

/** A token that tells whose it is and when it ends. */
export function jwt(claims) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.x`;
}
