import { count } from './format.js';
import { setText } from './dom.js';
import { hasEnded } from './history.js';
import { RunCard } from './run-card.js';

const page = 50;
/** Milliseconds of building in a row. */
const stint = 16;

/** The runs of the open thread: the newest, and earlier ones on demand. */
export class RunList {
  #list; #earlier; #onStop;
  #cards = new Map();
  #most = page;
  /** Index of the first run that is shown. */
  #from = null;

  /**
   * @param {HTMLElement} list
   * @param {HTMLButtonElement} earlier shows earlier ones
   * @param {{onStop: (run: string) => void, onEarlier: () => void}} on
   */
  constructor(list, earlier, { onStop, onEarlier }) {
    this.#list = list;
    this.#earlier = earlier;
    this.#onStop = onStop;
    earlier.addEventListener('click', () => {
      this.#most += page;
      this.#from = Math.max(0, this.#from - page);
      onEarlier();
    });
  }

  clear() {
    this.#cards.clear();
    this.#list.replaceChildren();
    this.#most = page;
    this.#from = null;
  }

  /**
   * @param {object[]} runs all of the thread, oldest first
   * @param {Map<string, number>} taken how many events of each run the page took
   * @param {Set<string>} stopping
   * @returns {boolean} whether all is shown; if not, it goes on with the next call
   */
  show(runs, taken, stopping) {
    const deadline = performance.now() + stint;
    const isFirst = this.#from === null;
    this.#choose(runs);
    this.#list.hidden ||= isFirst;
    let next = null;
    for (const run of runs.slice(this.#from).reverse()) {
      if (performance.now() > deadline) {
        return false;
      }

      const card = this.#cards.get(run.id) ?? this.#add(run, next);
      card.show(run, taken.get(run.id), stopping.has(run.id));
      next = card.item;
    }

    // Shown as a whole: what is built first would be pushed about by what is built above it.
    this.#list.hidden = false;
    return true;
  }

  /** Time has passed. */
  tick(runs) {
    runs.filter(run => !hasEnded(run)).forEach(run => this.#cards.get(run.id)?.tick());
  }

  /** What is shown stays, unless far more came than a person follows. */
  #choose(runs) {
    if (this.#from === null || runs.length - this.#from > this.#most + 3 * page) {
      this.#from = Math.max(0, runs.length - this.#most);
      for (const { id } of runs.slice(0, this.#from)) {
        this.#cards.get(id)?.item.remove();
        this.#cards.delete(id);
      }
    }

    this.#earlier.hidden = this.#from === 0;
    setText(this.#earlier, `Show earlier runs (${count(this.#from, 'more', 'more')})`);
  }

  #add(run, next) {
    const card = new RunCard(run, this.#onStop);
    this.#cards.set(run.id, card);
    this.#list.insertBefore(card.item, next);
    return card;
  }
}
