import { newId } from './api.js';
import { setText } from './dom.js';

/**
 * The form that sends requests. The text stays until the server has taken it; sending the same text again to the same
 * conversation after a failure is the same request, under the same idempotency key.
 */
export class Composer {
  #form = document.getElementById('composer');
  #input = document.getElementById('input');
  #button = document.getElementById('send');
  #status = document.getElementById('composer-status');
  #send;
  #thread;
  #unanswered = null;

  /**
   * @param send `(text, key) => Promise` that settles when the request was taken or refused
   * @param thread `() => string`, the conversation that a request goes to
   */
  constructor(send, thread) {
    this.#send = send;
    this.#thread = thread;
    this.#form.addEventListener('submit', event => {
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('keydown', event => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#form.requestSubmit();
      }
    });
    this.#input.addEventListener('input', () => this.#grow());
  }

  /** Puts a text into the form and sends it. */
  submit(text) {
    this.#input.value = text;
    this.#form.requestSubmit();
  }

  focus() {
    this.#input.focus();
  }

  async #submit() {
    const text = this.#input.value.trim();
    if (text === '' || this.#button.disabled) {
      return;
    }

    const thread = this.#thread();
    if (this.#unanswered?.text !== text || this.#unanswered.thread !== thread) {
      this.#unanswered = { text, thread, key: newId() };
    }

    this.#busy(true);
    try {
      await this.#send(text, this.#unanswered.key);
      this.#unanswered = null;
      this.#input.value = '';
      this.#tell('');
    } catch (error) {
      this.#tell(error.message, 'failed');
    } finally {
      this.#busy(false);
      this.#grow();
      this.focus();
    }
  }

  #busy(isBusy) {
    this.#button.disabled = isBusy;
    this.#input.readOnly = isBusy;
    if (isBusy) {
      this.#tell('Sending…');
    }
  }

  #tell(text, state = '') {
    this.#status.dataset.state = state;
    setText(this.#status, text);
  }

  #grow() {
    this.#input.rows = Math.min(6, Math.max(1, this.#input.value.split('\n').length));
  }
}
