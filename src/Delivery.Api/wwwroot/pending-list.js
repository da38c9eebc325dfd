import { element } from './dom.js';
import { requestOf } from './run-card.js';

/** The requests that are on their way; looks like the runs that they become. */
export class PendingList {
  #list; #on;
  #cards = new Map();

  /**
   * @param {HTMLElement} list
   * @param {{onRetry: (key: string) => void, onDiscard: (key: string) => void}} on
   */
  constructor(list, on) {
    this.#list = list;
    this.#on = on;
  }

  /** @param {import('./outbox.js').Entry[]} entries */
  show(entries) {
    for (const [key, { entry, item }] of this.#cards) {
      if (!entries.includes(entry)) {
        item.remove();
        this.#cards.delete(key);
      }
    }

    for (const entry of entries) {
      if (!this.#cards.has(entry.key)) {
        const item = this.#create(entry);
        this.#cards.set(entry.key, { entry, item });
        this.#list.append(item);
      }
    }
  }

  #create({ key, text, state, error }) {
    const { heading, more } = requestOf(key, text);
    const states = { sending: 'sending…', sent: 'sent', failed: 'not sent' };
    const agent = element('div', { className: 'agent' },
      element('span', { className: 'mark', ariaHidden: 'true' }), element('span', { className: 'state', textContent: states[state] }));
    const article = element('article', { className: 'pending', data: { state } }, heading, ...more, agent);
    article.setAttribute('aria-labelledby', heading.id);
    if (state === 'failed') {
      article.append(
        element('p', { className: 'failure', role: 'alert', textContent: `${error} Your request is kept here. Try again: it is never done twice.` }),
        element('p', { className: 'choices' },
          this.#button('Try again', heading.id, () => this.#on.onRetry(key)),
          this.#button('Discard', heading.id, () => this.#on.onDiscard(key))));
    }

    return element('li', {}, article);
  }

  #button(textContent, describedBy, act) {
    const button = element('button', { type: 'button', textContent });
    button.setAttribute('aria-describedby', describedBy);
    button.addEventListener('click', act);
    return button;
  }
}
