/** The rules of the wire that need no connection to be stated. */

/** What a close code asks of the reader (PROTOCOL.md, "Close codes"); every other code means: reconnect. */
const closePolicy = new Map([[4401, 'token'], [4403, 'stop'], [4404, 'stop'], [4409, 'stop']]);

/** @returns {'retry'|'token'|'stop'} */
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
