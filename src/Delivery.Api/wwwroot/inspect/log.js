import { element } from '../dom.js';

const most = 200;

/** A list of what happened, the newest first, with the time of each. */
export class Log {
  #list;

  /** @param {HTMLOListElement} list */
  constructor(list) {
    this.#list = list;
  }

  add(text, kind = '') {
    const time = new Date().toISOString().slice(11, 23);
    this.#list.prepend(element('li', { data: { kind } }, element('time', { textContent: time }), ` ${text}`));
    if (this.#list.children.length > most) {
      this.#list.lastElementChild.remove();
    }
  }

  clear() {
    this.#list.replaceChildren();
  }
}
