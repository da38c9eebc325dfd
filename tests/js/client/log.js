/** A model of one user's log: its histories, and where a reader stands in them. */
export class Log {
  epoch = 1;
  /** The bodies, positions from 1. */
  log = [];
  trimmed = 0;
  acks = new Map();
  /** Events a frame. */
  limit = 1_000;

  get head() {
    return this.log.length;
  }

  cursor(position = this.head) {
    return `epoch${this.epoch}_${position}`;
  }

  append(count = 1, make = () => ({})) {
    for (let i = 0; i < count; i++) {
      this.log.push({ id: `e${this.epoch}.${this.head + 1}`, type: 'note', time: '', thread: 't', run: 'r', sequence: this.head + 1, data: {}, ...make(this.head + 1) });
    }

    this.changed();
  }

  trim(to) {
    this.trimmed = Math.max(this.trimmed, Math.min(to, this.head));
    this.changed();
  }

  /** Another history begins. */
  erase() {
    this.epoch++;
    this.log = [];
    this.trimmed = 0;
    this.acks.clear();
    this.changed();
  }

  /** There is something else to read. */
  changed() { }

  start(after, client) {
    const given = after ?? this.acks.get(client) ?? null;
    return { at: given ?? this.cursor(), isLive: false };
  }

  /** What to send next: events, live, reset, or nothing. */
  next(reader, limit = this.limit) {
    const at = reader.at === '0' ? this.cursor(this.trimmed) : reader.at;
    const [epoch, text] = at.split('_');
    const position = Number(text);
    const reason = epoch !== `epoch${this.epoch}` ? 'epoch' : position > this.head ? 'future' : position < this.trimmed ? 'expired' : null;
    if (reason) {
      reader.at = this.cursor(this.trimmed);
      reader.isLive = false;
      return { type: 'reset', reason, cursor: reader.at };
    }

    if (position < this.head) {
      const until = Math.min(this.head, position + limit);
      const events = this.log.slice(position, until).map((body, index) => ({ cursor: this.cursor(position + 1 + index), ...body }));
      const after = reader.at;
      reader.at = this.cursor(until);
      return { type: 'events', after, events, cursor: reader.at };
    }

    if (!reader.isLive) {
      reader.isLive = true;
      reader.at = at;
      return { type: 'live', cursor: at };
    }

    return null;
  }
}
