/** @import { Frame, Platform } from './types.js' */
import { distance, take } from './continuity.js';
import { Delivery } from './delivery.js';

/** A tab's own place in the stream: what it was sent, and how far its handlers are. */
export class Reader {
  #delivery; #changed;
  /** @type {string|null} after the last event that was queued */
  at = null;
  /** @type {string|null} after the last event that was handled */
  cursor = null;
  /** @type {string|null} */
  #head = null;
  isLive = false;

  /**
   * @param {Delivery} delivery
   * @param {() => void} changed
   */
  constructor(delivery, changed) {
    this.#delivery = delivery;
    this.#changed = changed;
  }

  /** How many events are still to be handled; null where that is not known. */
  get behind() {
    const behind = this.isLive ? 0 : distance(this.cursor, this.#head);
    return behind && Math.max(0, behind);
  }

  /**
   * @param {Frame} frame
   * @param {number} size
   * @param {boolean} own whether it came over a connection that began at this reader's cursor
   * @returns {boolean} false: something is missing, read again from `at`
   */
  receive(frame, size, own) {
    const { cursor, events, reset, gap } = take(this.at, frame, own);
    if (gap) {
      return false;
    }

    const moved = cursor !== this.at;
    this.at = cursor;
    this.#head = frame.head ?? ((distance(this.#head, cursor) ?? 1) > 0 ? cursor : this.#head);
    if (frame.type === 'ready' || reset) {
      this.isLive = false;
    }

    if (events?.length) {
      this.#delivery.push({ events, size });
    } else if (reset || moved) {
      this.#delivery.push({ reset, cursor });
    }

    if (frame.type === 'live' || frame.resume === 'live') {
      this.#delivery.push({ reached: () => { this.isLive = true; this.#changed(); } });
    }

    this.#changed();
    return true;
  }
}
