/** @import { Frame, Link, LinkOptions } from '../types.js' */
import { ackOver, closeOf, read } from './http.js';

/** An answer without news may come at once from a server, or a proxy, that does not hold it back. */
const pause = 1_000;

/**
 * The frames that say the same as a JSON answer.
 * @param {Frame & {events: any[]}} page
 * @param {{isFirst: boolean, isLive: boolean, degraded: string}} known
 * @returns {Frame[]}
 */
export function framesOf(page, { isFirst, isLive, degraded }) {
  const { after, cursor, head, resume, reason, events } = page;
  /** @type {Frame[]} */
  const frames = [];
  if (isFirst) {
    frames.push({ type: 'ready', cursor: after, head, resume: resume === 'reset' ? resume : 'replaying', reason, degraded: page.degraded });
  } else {
    resume === 'reset' && frames.push({ type: 'reset', reason, cursor: after });
    degraded !== String(page.degraded) && frames.push({ type: 'status', degraded: page.degraded });
  }

  events.length > 0 && frames.push({ type: 'events', after, events, cursor, head });
  frames.push({ type: resume === 'live' && !isLive ? 'live' : 'heartbeat', cursor, head });
  return frames;
}

/**
 * @param {LinkOptions} options
 * @returns {Link}
 */
export function openPoll(options) {
  const { platform, client, onFrame, onClose } = options;
  const abort = new AbortController();
  let after = options.after;
  /** @type {any} */
  let timer;
  const known = { isFirst: true, isLive: false, degraded: '' };

  const poll = async () => {
    const asked = platform.now();
    const query = { after, client: after ? null : client, wait: known.isLive ? 25 : 0 };
    const response = await read(options, 'application/json', query, { signal: abort.signal }).catch(() => null);
    if (!response) {
      return { unreachable: true };
    }

    if (!response.ok) {
      return closeOf(response, platform.now());
    }

    const text = await response.text();
    const page = JSON.parse(text);
    const frames = framesOf(page, known);
    after = page.cursor ?? after;
    Object.assign(known, { isFirst: false, isLive: page.resume === 'live', degraded: String(page.degraded) });
    frames.forEach(frame => !abort.signal.aborted && onFrame(frame, frame.events ? text.length : 0));
    const isIdle = page.events.length === 0
      && (page.resume !== 'live' || (query.wait > 0 && platform.now() - asked < pause));
    if (isIdle && !abort.signal.aborted) {
      timer = platform.setTimeout(next, pause);
    } else if (!abort.signal.aborted) {
      next();
    }
  };
  const next = () => {
    poll().catch(() => ({})).then(close => {
      if (close && !abort.signal.aborted) {
        abort.abort();
        onClose(close);
      }
    });
  };
  next();
  return {
    close() {
      abort.abort();
      platform.clearTimeout(timer);
    },
    send: ackOver(options),
  };
}
