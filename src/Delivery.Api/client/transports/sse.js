/** @import { AgentEvent, Close, Link, LinkOptions } from '../types.js' */
import { ackOver, closeOf, read } from './http.js';

/**
 * The event stream format (WHATWG HTML, 9.2.6), fed in any pieces of decoded text.
 * @param {(name: string, data: string) => void} onMessage
 * @param {(milliseconds: number) => void} onRetry
 * @returns {(text: string) => void}
 */
export function eventStream(onMessage, onRetry) {
  let rest = '';
  let afterReturn = false;
  let name = '';
  /** @type {string[]} */
  let data = [];

  const take = (/** @type {string} */ line) => {
    if (line === '') {
      data.length > 0 && onMessage(name || 'message', data.join('\n'));
      name = '';
      data = [];
      return;
    }

    const [, field, value] = /** @type {RegExpExecArray} */ (/^([^:]*)(?:: ?)?(.*)$/s.exec(line));
    if (field === 'data') {
      data.push(value);
    } else if (field === 'event') {
      name = value;
    } else if (field === 'retry' && /^\d+$/.test(value)) {
      onRetry(Number(value));
    }
  };

  return text => {
    if (afterReturn && text[0] === '\n') {
      text = text.slice(1);
    }

    let start = 0;
    for (const { 0: end, index } of text.matchAll(/\r\n?|\n/g)) {
      take(rest + text.slice(start, index));
      rest = '';
      start = index + end.length;
    }

    rest += text.slice(start);
    afterReturn = text.endsWith('\r');
  };
}

/**
 * Over fetch, so that the token goes in a header.
 * @param {LinkOptions} options
 * @returns {Link}
 */
export function openSse(options) {
  const { platform, after, client, onFrame, onClose } = options;
  const abort = new AbortController();
  /** @type {number|undefined} */
  let retry;
  /** @type {AgentEvent[]} */
  let events = [];
  let size = 0;

  const flush = () => {
    const frame = { type: 'events', events };
    events.length > 0 && !abort.signal.aborted && onFrame(frame, size);
    events = [];
    size = 0;
  };
  const feed = eventStream((name, data) => {
    if (name === 'message') {
      events.push(JSON.parse(data));
      size += data.length;
    } else {
      flush();
      !abort.signal.aborted && onFrame({ ...JSON.parse(data), type: name }, data.length);
    }
  }, milliseconds => { retry = milliseconds; });

  const run = async () => {
    const query = { after, client: after ? null : client };
    const response = await read(options, 'text/event-stream', query, { signal: abort.signal })
      .catch(() => null);
    if (!response) {
      return { unreachable: true };
    }

    if (!response.ok || !response.body || !response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
      return closeOf(response, platform.now());
    }

    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    for (let part; !(part = await reader.read()).done;) {
      feed(decoder.decode(part.value, { stream: true }));
      flush();
    }

    return {};
  };
  run().catch(() => ({})).then((/** @type {Close} */ close) => {
    if (!abort.signal.aborted) {
      abort.abort();
      onClose({ ...close, retry: Math.max(close.retry ?? 0, retry ?? 0) });
    }
  });
  return { close: () => abort.abort(), send: ackOver(options) };
}
