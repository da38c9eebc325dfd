/** @import { Close, Frame, Open } from '../types.js' */
import { ackOver, closeOf, read } from './http.js';

/** @param {any} page @returns {Frame[]} */
export const framesOf = ({ after, cursor, head, resume, reason, events, degraded }, isFirst = true) => [
  { type: isFirst ? 'ready' : reason ? 'reset' : 'status', resume: reason && 'reset', cursor: after, head, reason, degraded },
  { type: 'events', after, events },
  { type: resume === 'live' ? resume : 'heartbeat', cursor, head },
];

/** @type {Open} */
export const openPoll = options => {
  const { platform, onFrame, onClose } = options;
  const abort = new AbortController();
  let { after } = options, timer = 0;
  /** @returns {Promise<Close>} */
  const run = async () => {
    for (let isFirst = true, wait = 0; !abort.signal.aborted; isFirst = false) {
      const asked = platform.now();
      const response = await read(options, { headers: { Accept: 'application/json' }, signal: abort.signal }, after, wait);
      if (!response?.ok) return response ? closeOf(response, platform.now()) : { unreachable: true };
      const text = await response.text();
      const page = JSON.parse(text);
      for (const frame of framesOf(page, isFirst)) if (!abort.signal.aborted) onFrame(frame, frame.events ? text.length : 0);
      after = page.cursor ?? after;
      const isLive = page.resume === 'live';
      // What has no news may come at once: from a node without its log, or a proxy that holds nothing back.
      if (!page.events.length && (!isLive || wait && platform.now() - asked < 1_000)) {
        await new Promise(resolve => { timer = platform.setTimeout(() => resolve(0), 1_000); });
      }
      wait = isLive ? 25 : 0;
    }
    return {};
  };
  run().catch(() => ({})).then(close => {
    if (!abort.signal.aborted) onClose(close);
  });
  return {
    close() {
      abort.abort();
      platform.clearTimeout(timer);
    },
    send: ackOver(options),
  };
};
