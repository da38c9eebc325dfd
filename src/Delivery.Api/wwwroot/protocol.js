/** The rules of the wire that need no connection to be stated. */

/** What each close code asks of the reader (PROTOCOL.md, section 8); any other one: reconnect. */
const closePolicy = new Map([
  [4401, 'token'],
  [4403, 'refused'], [4404, 'refused'],
  [4409, 'replaced'],
  [1007, 'defect'], [1008, 'defect'], [1009, 'defect'],
]);

/** @returns {'retry'|'token'|'refused'|'replaced'|'defect'} reconnect, get a new token, or the reason to give up */
export const afterClose = code => closePolicy.get(code) ?? 'retry';

/**
 * The events of a frame that continue the reader's cursor, or null when something is missing between the two.
 * A cursor is opaque, so a frame that overlaps is recognised by holding the cursor itself.
 */
export function continuation(cursor, frame) {
  if (cursor === '0' || frame.after === cursor) {
    return frame.events;
  }

  const at = frame.events.findIndex(event => event.cursor === cursor);
  return at < 0 ? null : frame.events.slice(at + 1);
}
