import { find, setText } from './dom.js';

/**
 * The form that sends requests. While a run is under way and nothing is written, its button stops that run.
 */
export class Composer {
  #form = find('composer');
  #input = find('input');
  #send = find('send');
  #stop = find('stop');
  #status = find('composer-status');
  #isRunning = false;

  /** @param {{onSend: (text: string) => void, onStop: () => void}} on */
  constructor({ onSend, onStop }) {
    this.#form.addEventListener('submit', event => {
      event.preventDefault();
      this.#submit(onSend);
    });
    this.#input.addEventListener('keydown', event => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#form.requestSubmit();
      }
    });
    this.#input.addEventListener('input', () => this.#choose());
    this.#stop.addEventListener('click', onStop);
  }

  focus() {
    this.#input.focus();
  }

  /**
   * @param {boolean} isRunning
   * @param {boolean} isStopping
   */
  show(isRunning, isStopping) {
    this.#isRunning = isRunning;
    this.#stop.ariaDisabled = isStopping;
    setText(this.#stop, isStopping ? 'Stopping…' : 'Stop');
    this.#choose();
  }

  tell(text) {
    setText(this.#status, text);
  }

  #submit(onSend) {
    const text = this.#input.value.trim();
    if (text !== '') {
      this.#input.value = '';
      this.tell('');
      this.#choose();
      onSend(text);
    }

    this.focus();
  }

  #choose() {
    const stops = this.#isRunning && this.#input.value === '';
    const hadFocus = document.activeElement === (stops ? this.#send : this.#stop);
    this.#stop.hidden = !stops;
    this.#send.hidden = stops;
    if (hadFocus) {
      (stops ? this.#stop : this.#send).focus();
    }
  }
}
