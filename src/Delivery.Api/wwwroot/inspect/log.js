import { element } from '../dom.js';

const most = 200;

/** A list of what happened, with the time of each; stays at its end while the reader is there. */
export class Log {
  #list;
  #isAtEnd = true;
  #isScrolling = false;

  /** @param {HTMLOListElement} list */
  constructor(list) {
    this.#list = list;
    list.addEventListener('scroll', () => {
      if (!this.#isScrolling) {
        this.#isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 8;
      }
    }, { passive: true });
  }

  add(text, kind = '') {
    const time = new Date().toISOString().slice(11, 23);
    this.#list.append(element('li', { data: { kind } }, element('time', { textContent: time }), ` ${text}`));
    if (this.#list.children.length > most) {
      this.#list.firstElementChild.remove();
    }

    this.#follow();
  }

  clear() {
    this.#list.replaceChildren();
  }

  #follow() {
    if (this.#isAtEnd && !this.#isScrolling) {
      this.#isScrolling = true;
      requestAnimationFrame(() => {
        this.#isScrolling = false;
        this.#list.scrollTop = this.#list.scrollHeight;
      });
    }
  }
}
