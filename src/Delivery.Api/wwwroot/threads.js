import { element, setText } from './dom.js';
import { count, oneLine, when } from './format.js';

const page = 100;
const states = { queued: 'waiting', running: 'working', completed: 'done', failed: 'failed', cancelled: 'stopped' };

/**
 * The threads, the one with the newest request first. Named after their first request.
 * @returns {{id: string, title: string, status: string, at: string, runs: number}[]}
 */
export function threadsOf({ threads, runs }) {
  return [...threads.values()].map(thread => {
    const last = runs.get(thread.runs.at(-1));
    return {
      id: thread.id,
      title: oneLine(runs.get(thread.runs[0]).input ?? '') || `Thread ${thread.id}`,
      status: last.status,
      at: last.requestedAt ?? '',
      runs: thread.runs.length,
    };
  }).sort((a, b) => a.at < b.at ? 1 : a.at > b.at ? -1 : 0);
}

/** The list of threads. Keeps the elements of what did not change. */
export class ThreadList {
  #list; #more; #onOpen;
  #items = new Map();
  #most = page;

  /**
   * @param {HTMLElement} list
   * @param {HTMLButtonElement} more shows older ones
   * @param {{onOpen: (thread: string) => void, onMore: () => void}} on
   */
  constructor(list, more, { onOpen, onMore }) {
    this.#list = list;
    this.#more = more;
    this.#onOpen = onOpen;
    more.addEventListener('click', () => {
      this.#most += page;
      onMore();
    });
  }

  /**
   * @param {ReturnType<typeof threadsOf>} threads
   * @param {string} open
   */
  show(threads, open) {
    const known = threads.some(({ id }) => id === open);
    const wanted = threads.slice(0, this.#most);
    const all = known ? wanted : [{ id: open, title: 'New thread', status: 'new', at: '', runs: 0 }, ...wanted];
    this.#more.hidden = threads.length <= this.#most;
    const ids = new Set(all.map(({ id }) => id));
    for (const [id, item] of this.#items) {
      if (!ids.has(id)) {
        item.remove();
        this.#items.delete(id);
      }
    }

    all.forEach((thread, index) => {
      const item = this.#items.get(thread.id) ?? this.#create(thread.id);
      if (this.#list.children[index] !== item) {
        this.#list.insertBefore(item, this.#list.children[index] ?? null);
      }

      update(item, thread, thread.id === open);
    });
  }

  #create(id) {
    const button = element('button', { type: 'button', className: 'thread' },
      element('span', { className: 'mark', ariaHidden: 'true' }),
      element('span', { className: 'title' }),
      element('span', { className: 'about' }));
    button.addEventListener('click', () => this.#onOpen(id));
    const item = element('li', { data: { thread: id } }, button);
    this.#items.set(id, item);
    return item;
  }
}

function update(item, { title, status, at, runs }, isOpen) {
  const button = item.firstElementChild;
  item.dataset.status = status;
  isOpen ? button.setAttribute('aria-current', 'true') : button.removeAttribute('aria-current');
  setText(item.querySelector('.title'), title);
  setText(item.querySelector('.about'), runs === 0 ? 'nothing asked yet'
    : [states[status], count(runs, 'run'), at && when(at)].filter(Boolean).join(' · '));
}
