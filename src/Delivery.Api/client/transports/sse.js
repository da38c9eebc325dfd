/** @import { AgentEvent, Close, Open } from '../types.js' */
import { ackOver, closeOf, read } from './http.js';

/** WHATWG HTML, 9.2.6. @param {(name: string, data: string) => void} onMessage */
export const eventStream = (onMessage, onRetry = (milliseconds = 0) => { }) => {
  let rest = '', name = '';
  /** @type {string[]} */
  let data = [];
  return (text = '') => {
    // A CR at the end may be half of a CRLF.
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (field === 'data') data.push(value);
      else if (field === 'event') name = value;
      else if (field === 'retry' && /^\d+$/.test(value)) onRetry(+value);
      else if (!line) {
        if (data.length) onMessage(name || 'message', data.join('\n'));
        name = '';
        data = [];
      }
    }
  };
};

/** Over fetch, so that the token goes in a header. @type {Open} */
export const openSse = options => {
  const { platform, onFrame, onClose } = options;
  const abort = new AbortController();
  let retry = 0, size = 0;
  /** @type {AgentEvent[]} */
  let events = [];
  const flush = () => {
    if (events.length && !abort.signal.aborted) onFrame({ type: 'events', events }, size);
    events = [];
    size = 0;
  };
  const feed = eventStream((name, data) => {
    if (name === 'message') {
      events.push(JSON.parse(data));
      size += data.length;
    } else {
      flush();
      if (!abort.signal.aborted) onFrame({ ...JSON.parse(data), type: name }, 0);
    }
  }, (milliseconds = 0) => { retry = milliseconds; });
  /** @returns {Promise<Close>} */
  const run = async () => {
    const response = await read(options, { headers: { Accept: 'text/event-stream' }, signal: abort.signal }, options.after);
    if (!response) return { unreachable: true };
    if (!response.ok || !response.body || !response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
      return closeOf(response, platform.now());
    }
    const reader = response.body.getReader(), decoder = new TextDecoder();
    for (let part; !(part = await reader.read()).done;) {
      feed(decoder.decode(part.value, { stream: true }));
      flush();
    }
    return { retry };
  };
  /** @param {Close} close */
  const end = close => {
    if (!abort.signal.aborted) onClose(close);
    abort.abort();
  };
  run().then(end, () => end({ retry }));
  return { close: () => abort.abort(), send: ackOver(options) };
};
