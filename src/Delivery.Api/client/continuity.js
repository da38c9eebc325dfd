/** @import { AgentEvent, Frame, Reset } from './types.js' */

/** Not '0', nor none. @param {string|null=} cursor */
const isPlace = cursor => !!cursor && cursor !== '0';

/** After so many ms it is dead. @param {Frame} ready */
export const silenceOf = ({ heartbeat = 15 }) => heartbeat * 2_000 + 2_000;

/** In events; null where there is no telling. @param {string|null=} from @param {string|null=} to */
export const distance = (from, to) => {
  const [[epoch, start], [other, end]] = [from, to].map(cursor => (cursor ?? '').split('_'));
  return start && end && epoch === other ? +end - +start : null;
};

/**
 * What a frame means to who stands at `at`. `own`: its connection began there; else it places no open cursor, and its
 * resets are another's.
 * @param {string|null} at @param {Frame} frame
 * @returns {{at: string|null, events?: AgentEvent[], reset?: Reset, gap?: boolean}}
 */
export const take = (at, { type, cursor, after, events = [], resume, reason = 'epoch' }, own = true) => {
  const gap = { at, gap: true };
  const resets = type === 'reset' || resume === 'reset';
  if (!own && (resets || !isPlace(at))) return gap;
  if (resets) return { at: cursor ?? '0', reset: { reason, cursor: cursor ?? '0' } };
  if (!['events', 'ready', 'live', 'heartbeat'].includes(type)) return { at };
  // Nothing is in flight: what they sent and we don't have is lost.
  const theirs = type === 'events' ? after : cursor;
  if (isPlace(at) && isPlace(theirs) && (distance(at, theirs) ?? 1) > 0) return gap;
  if (type !== 'events') return { at: isPlace(at) ? at : cursor ?? at };
  const fresh = [];
  for (const event of events) {
    const step = isPlace(at) ? distance(at, event.cursor) ?? 2 : 1;
    if (step > 1) return gap;
    if (step === 1) {
      fresh.push(event);
      at = event.cursor;
    }
  }
  return { at, events: fresh };
};
