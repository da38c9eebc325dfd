import { count, span } from '../format.js';

export const positionOf = cursor => cursor ? Number(cursor.slice(cursor.indexOf('_') + 1)) : null;

const isCaughtUp = state => state.status === 'live' || (state.status === 'degraded' && state.behind === 0);

/** Watches the wire and the library from both sides and tells, in a sentence, what each recovery did. */
export class Recovery {
  #now; #tell;
  /** Position of the last event that came over the wire. */
  #wire = null;
  #wasCaughtUp = false;
  #cause = null;
  /** @type {{what: string, from: number, at: number, events: number}|null} */
  #episode = null;
  #thrownAt = null;
  handled = null;
  head = null;
  duplicates = 0;
  gaps = 0;
  resets = 0;
  reconnects = 0;

  /**
   * @param {() => number} now in milliseconds
   * @param {(sentence: string) => void} tell
   */
  constructor(now, tell) {
    this.#now = now;
    this.#tell = tell;
  }

  /** How many events wait for the handler. */
  get waiting() {
    return Math.max(0, (this.#wire ?? 0) - (this.handled ?? this.#wire ?? 0));
  }

  /** Something was broken on purpose, in these words. */
  broke(cause) {
    this.#cause = cause;
  }

  /** A frame that the library is about to see. */
  frame({ type, cursor, head, events = [] }) {
    const at = positionOf(cursor);
    this.head = Math.max(positionOf(head) ?? 0, at ?? 0, this.head ?? 0);
    if (type === 'ready' || type === 'reset') {
      this.#wire = at ?? this.#wire;
    } else if (type === 'events') {
      this.#follow(events.map(event => positionOf(event.cursor)));
    } else if (this.#wire !== null && at > this.#wire) {
      this.#gap();
    }
  }

  state(state) {
    const caughtUp = isCaughtUp(state);
    if (this.#wasCaughtUp && !caughtUp) {
      this.#begin(this.#cause ?? 'connection lost');
      this.#cause = null;
    } else if (!this.#wasCaughtUp && caughtUp && this.#episode) {
      this.#end();
    }

    this.#wasCaughtUp = caughtUp;
  }

  /** The handler is done with these. */
  took(events) {
    this.handled = positionOf(events.at(-1).cursor);
    if (this.#episode) {
      this.#episode.events += events.length;
    }

    if (this.#thrownAt !== null) {
      this.#tell(`handler threw at ${positionOf(events[0].cursor)}, the same event came again ${span(this.#now() - this.#thrownAt)} later`);
      this.#thrownAt = null;
    }
  }

  threw() {
    this.#thrownAt = this.#now();
  }

  reset(reason, cursor) {
    this.resets++;
    this.handled = positionOf(cursor);
    this.#tell(`reset (${reason}): what was here is discarded, reading begins after ${this.handled}`);
  }

  #follow(positions) {
    const [first, last] = [positions[0], positions.at(-1)];
    if (this.#wire !== null && first > this.#wire + 1) {
      this.#gap();
      return;
    }

    const known = positions.filter(position => position <= this.#wire).length;
    if (known > 0) {
      this.duplicates += known;
      this.#tell(`${count(known, 'event')} came twice at ${first}, dropped`);
    }

    this.#wire = Math.max(last, this.#wire ?? 0);
  }

  #gap() {
    this.gaps++;
    this.#cause = null;
    this.#begin('gap noticed');
  }

  #begin(what) {
    this.#episode ??= { what, from: this.#wire ?? 0, at: this.#now(), events: 0 };
  }

  #end() {
    const { what, from, at, events } = this.#episode;
    this.reconnects++;
    this.#episode = null;
    this.#tell(`${what} at ${from}, re-read ${count(events, 'event')}, ${span(this.#now() - at)}`);
  }
}
