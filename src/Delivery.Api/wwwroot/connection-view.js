import { closingAdvice, connectionMeaning, connectionSaid, connectionText, connectionWay } from './connection-text.js';
import { find, setText } from './dom.js';

/** Announced when it has lasted so long: a hiccup is not worth a word. */
const lasting = 1_000;

/** The pill that says how the connection is, its panel, and the notice when it has ended. */
export class ConnectionView {
  #state = null;
  #said = null;
  #account = null;
  #saying;

  /** @param {{onRetry: () => void}} on */
  constructor({ onRetry }) {
    find('retry-now').addEventListener('click', onRetry);
    find('notice-act').addEventListener('click', () => this.#state.reason === 'defect' ? location.reload() : onRetry());
    setInterval(() => this.#state?.status === 'offline' && this.#showText(), 250);
  }

  /**
   * @param {object} state the library's
   * @param {{isGiven: boolean, cursor: string|null, problem: string|null}} account
   */
  show(state, account) {
    this.#state = state;
    this.#account = account;
    Object.assign(find('connection').dataset, {
      status: state.status,
      degraded: state.degraded.join(' '),
      behind: state.behind ?? '',
      transport: state.transport ?? '',
      leader: state.leader,
    });
    this.#showText();
    this.#showNotice();
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => this.#say(), lasting);
  }

  #showText() {
    const state = this.#state;
    const text = connectionText(state, Date.now(), navigator.onLine);
    const hints = [connectionMeaning(state), connectionWay(state)];
    setText(find('connection-text'), text);
    find('connection').title = hints.join(' ');
    setText(find('connection-meaning'), hints[0]);
    setText(find('connection-way'), hints[1]);
    setText(find('connection-cursor'), this.#account.cursor ?? 'none yet');
    find('retry-now').hidden = state.status !== 'offline';
  }

  #showNotice() {
    const { status, reason } = this.#state;
    const advice = status === 'closed' ? closingAdvice(reason, this.#account.isGiven, location.origin + location.pathname) : null;
    find('notice').hidden = advice === null;
    setText(find('notice-text'), advice?.text ?? '');
    setText(find('notice-problem'), (reason === 'token' && this.#account.problem) || '');
    setText(find('notice-address'), advice?.address ?? '');
    setText(find('notice-act'), advice?.act ?? '');
    find('notice-act').hidden = !advice?.act;
  }

  #say() {
    const said = connectionSaid(this.#state);
    if (said !== null && said !== this.#said) {
      this.#said = said;
      setText(find('connection-said'), said);
    }
  }
}
