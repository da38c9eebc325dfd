/** @import { AgentEvent, Frame, Reset } from './types.js' */

/** @param {string|null=} cursor whether it names a place: '0' and none don't */
const isPlace = cursor => !!cursor && cursor !== '0';

/** A connection that is silent for two heartbeats and 2 s is dead. @param {Frame} ready */
export const silenceOf = ({ heartbeat = 15 }) => heartbeat * 2_000 + 2_000;

/** How many events lie between two cursors; null where there is no telling. @param {string|null=} from @param {string|null=} to */
export const distance = (from, to) => {
  const [[epoch, start], [other, end]] = [from, to].map(cursor => (cursor ?? '').split('_'));
  return start && end && epoch === other ? +end - +start : null;
};

/**
 * What a frame means to a reader: events to deliver, a reset, a gap (read again from `at`), or at most another place.
 * `own`: its connection began at `at`; only then may it say where an open cursor lies, and may a reset be believed.
 * @param {string|null} at @param {Frame} frame
 * @returns {{at: string|null, events?: AgentEvent[], reset?: Reset, gap?: boolean}}
 */
export const take = (at, { type, cursor, after, events = [], resume, reason = 'epoch' }, own = true) => {
  const gap = { at, gap: true };
  const resets = type === 'reset' || resume === 'reset';
  if (!own && (resets || !isPlace(at))) return gap;
  if (resets) return { at: cursor ?? '0', reset: { reason, cursor: cursor ?? '0' } };
  if (!['events', 'ready', 'live', 'heartbeat'].includes(type)) return { at };
  // Nothing is in flight: a server that stands further on than we do has sent what we did not get.
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
