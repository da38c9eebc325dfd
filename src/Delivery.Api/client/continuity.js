/** @import { AgentEvent, Frame, Reset } from './types.js' */

/**
 * @typedef {{cursor: string|null, events?: AgentEvent[], reset?: Reset, gap?: boolean}} Step what a frame means: events
 *   to deliver, a reset, a gap (read again from the cursor), or at most another cursor
 */

/** @param {string} cursor EPOCH_POSITION; positions of one epoch can be compared */
export function parse(cursor) {
  const at = cursor.indexOf('_');
  return { epoch: cursor.slice(0, at), position: Number(cursor.slice(at + 1)) };
}

/** @param {string|null|undefined} cursor whether it says nothing of a place: none, or before the oldest kept event */
const isOpen = cursor => !cursor || cursor === '0';

/**
 * How many events lie between two cursors, or null where that can't be said.
 * @param {string|null|undefined} from
 * @param {string|null|undefined} to
 */
export function distance(from, to) {
  if (isOpen(from) || isOpen(to)) {
    return null;
  }

  const [a, b] = [parse(/** @type {string} */ (from)), parse(/** @type {string} */ (to))];
  return a.epoch === b.epoch ? b.position - a.position : null;
}

/**
 * @param {string|null} cursor after the last event that was taken; null: from now on
 * @param {Frame} frame
 * @param {boolean} own whether the connection began at this cursor: only then may it say where an open one lies, and
 *   may a reset be believed
 * @returns {Step}
 */
export function take(cursor, frame, own = true) {
  const resets = frame.type === 'reset' || frame.resume === 'reset';
  if (!own && (resets || isOpen(cursor))) {
    return { cursor, gap: true };
  }

  if (resets) {
    const reset = { reason: frame.reason ?? 'epoch', cursor: frame.cursor ?? '0' };
    return { cursor: reset.cursor, reset };
  }

  return frame.type === 'events' ? follow(cursor, frame) : compare(cursor, frame.cursor);
}

/**
 * The server says where it stands. Nothing is in flight: further than ours means that frames were lost.
 * @param {string|null} cursor
 * @param {string|null|undefined} theirs
 * @returns {Step}
 */
function compare(cursor, theirs) {
  if (isOpen(theirs)) {
    return { cursor };
  }

  if (isOpen(cursor)) {
    return { cursor: theirs ?? null };
  }

  const ahead = distance(cursor, theirs);
  return ahead === null || ahead > 0 ? { cursor, gap: true } : { cursor };
}

/**
 * @param {string|null} cursor
 * @param {Frame} frame
 * @returns {Step}
 */
function follow(cursor, frame) {
  if (!isOpen(cursor) && compare(cursor, frame.after).gap) {
    return { cursor, gap: true };
  }

  let last = isOpen(cursor) ? null : parse(/** @type {string} */ (cursor));
  const events = [];
  for (const event of frame.events ?? []) {
    const next = parse(event.cursor);
    if (last && (next.epoch !== last.epoch || next.position > last.position + 1)) {
      return { cursor, gap: true };
    }

    if (!last || next.position > last.position) {
      events.push(event);
      last = next;
    }
  }

  return { cursor: events.at(-1)?.cursor ?? cursor, events };
}
