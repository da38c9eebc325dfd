const near = 48;

/**
 * Where the reader is: at the end, and then stays there whatever comes, or somewhere else, which nothing disturbs; then a
 * button leads to the end.
 */
export class ReadingPosition {
  #scroller; #button;
  #isAtEnd = true;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} content
   * @param {HTMLButtonElement} button
   */
  constructor(scroller, content, button) {
    this.#scroller = scroller;
    this.#button = button;
    scroller.addEventListener('scroll', () => this.#look(), { passive: true });
    button.addEventListener('click', () => {
      this.toEnd();
      scroller.focus({ preventScroll: true });
    });
    const resized = new ResizeObserver(() => this.#isAtEnd ? this.toEnd() : this.#look());
    resized.observe(scroller);
    resized.observe(content);
  }

  toEnd() {
    this.#isAtEnd = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#look();
  }

  /** Something new is to be read. */
  arrived() {
    if (!this.#isAtEnd) {
      this.#button.dataset.news = '';
      this.#button.textContent = 'New messages';
    }
  }

  /** Earlier things are about to come in above. The browser holds the place, but not at the very top. */
  growAbove() {
    this.#scroller.scrollTop ||= 1;
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const left = scrollHeight - scrollTop - clientHeight;
    this.#isAtEnd = left <= near;
    if (this.#isAtEnd) {
      delete this.#button.dataset.news;
      this.#button.textContent = 'To the end';
    }

    this.#button.hidden = this.#isAtEnd || (left < clientHeight && !('news' in this.#button.dataset));
  }
}
