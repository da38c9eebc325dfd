import { element, setText } from '../dom.js';
import { bytes, span } from '../format.js';

const margin = 10;

/** A table of any length: only the rows in sight exist. Stays at its end while the reader is there. */
export class VirtualTable {
  #scroller; #body; #onOpen;
  #above = element('tr', { className: 'space', ariaHidden: 'true' });
  #below = element('tr', { className: 'space', ariaHidden: 'true' });
  #shown = [];
  #rows = [];
  #isAtEnd = true;
  #height = 0;

  /**
   * @param {HTMLElement} scroller around the table
   * @param {HTMLTableElement} table
   * @param {(row: import('./rows.js').Row) => void} onOpen
   */
  constructor(scroller, table, onOpen) {
    this.#scroller = scroller;
    this.#body = table.tBodies[0];
    this.#onOpen = onOpen;
    this.#body.append(this.#above, this.#below);
    scroller.addEventListener('scroll', () => {
      this.#isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 4;
      this.#draw();
    }, { passive: true });
    new ResizeObserver(() => this.show(this.#rows)).observe(scroller);
  }

  /** @param {import('./rows.js').Row[]} rows */
  show(rows) {
    this.#rows = rows;
    this.#body.parentElement.setAttribute('aria-rowcount', rows.length + 1);
    this.#draw();
    if (this.#isAtEnd) {
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
      this.#draw();
    }
  }

  #draw() {
    this.#height ||= this.#measure();
    const { scrollTop, clientHeight } = this.#scroller;
    const inSight = Math.ceil(clientHeight / this.#height) + 2 * margin;
    const latest = Math.max(0, this.#rows.length - inSight);
    const first = Math.max(0, Math.min(latest, Math.floor(scrollTop / this.#height) - margin));
    const rows = this.#rows.slice(first, first + inSight);
    while (this.#shown.length < rows.length) {
      this.#shown.push(this.#create());
      this.#below.before(this.#shown.at(-1).tr);
    }

    this.#shown.splice(rows.length).forEach(({ tr }) => tr.remove());
    rows.forEach((row, index) => fill(this.#shown[index], row, first + index));
    this.#above.style.height = `${first * this.#height}px`;
    this.#below.style.height = `${(this.#rows.length - first - rows.length) * this.#height}px`;
  }

  #measure() {
    const { tr } = this.#create();
    this.#body.append(tr);
    const { height } = tr.getBoundingClientRect();
    tr.remove();
    return height || 32;
  }

  #create() {
    const button = element('button', { type: 'button', className: 'quiet', textContent: '0' });
    const cells = Array.from({ length: 8 }, () => element('td'));
    cells[0].append(button);
    const shown = { tr: element('tr', {}, ...cells), cells, button, row: null };
    shown.tr.addEventListener('click', () => this.#onOpen(shown.row));
    return shown;
  }
}

function fill(shown, row, index) {
  if (shown.row === row) {
    return;
  }

  shown.row = row;
  shown.tr.ariaRowIndex = index + 2;
  Object.assign(shown.tr.dataset, { position: row.position, type: row.type });
  setText(shown.button, String(row.position));
  const { time, type, thread, run, sequence, size, latency } = row;
  const texts = [time.slice(11, 23), type, thread, run, sequence, bytes(size), latency === null ? 'replayed' : span(latency)];
  texts.forEach((text, at) => setText(shown.cells[at + 1], String(text)));
  shown.cells[1].title = time;
  shown.cells[3].title = thread;
  shown.cells[4].title = run;
}
