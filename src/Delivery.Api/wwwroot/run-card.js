import { element, setText } from './dom.js';
import { describeFailure } from './failures.js';
import { count, duration, span, when } from './format.js';
import { hasEnded } from './history.js';
import { showSteps } from './steps.js';
import { clipped } from './values.js';

const mostSteps = 40;
const mostRequest = 3_000;
const endings = { completed: 'Done', failed: 'Failed', cancelled: 'Stopped' };

/** What the person asked, as a heading in a bubble. */
export function requestOf(id, text) {
  const heading = element('h2', { className: 'request', id: `request-${id}` });
  return { heading, more: clipped(heading, text, mostRequest) };
}

/** One run: the request, who works on it and how, its steps, its end. Keeps the elements of what did not change. */
export class RunCard {
  #run = null;
  #from;
  #title;
  #state = element('span', { className: 'state' });
  #who = element('span', { className: 'who' });
  #stop = element('button', { type: 'button', className: 'stop', textContent: 'Stop' });
  #earlier = element('button', { type: 'button', className: 'quiet earlier', hidden: true });
  #steps = element('ol', { className: 'steps', ariaLabel: 'Steps' });
  #failure = element('p', { className: 'failure', hidden: true });
  #ending = element('p', { className: 'ending', hidden: true });
  #article;
  /** The list's item. */
  item;

  /**
   * @param {object} run
   * @param {(id: string) => void} onStop
   */
  constructor(run, onStop) {
    this.#from = run.steps.length > mostSteps * 1.5 ? run.steps.length - mostSteps : 0;
    this.#title = run.input ?? `Run ${run.id}`;
    const { heading, more } = requestOf(run.id, this.#title);
    const agent = element('div', { className: 'agent' },
      element('span', { className: 'mark', ariaHidden: 'true' }), this.#who, this.#state, this.#stop);
    this.#article = element('article', { className: 'run', data: { run: run.id } },
      heading, ...more, agent, this.#earlier, this.#steps, this.#failure, this.#ending);
    this.#article.setAttribute('aria-labelledby', heading.id);
    this.#stop.setAttribute('aria-describedby', heading.id);
    this.#stop.addEventListener('click', () => onStop(run.id));
    this.#earlier.addEventListener('click', () => this.#showEarlier());
    this.item = element('li', {}, this.#article);
  }

  /**
   * @param {object} run
   * @param {number} taken how many of its events the page took
   * @param {boolean} isStopping whether it was asked to stop
   */
  show(run, taken, isStopping) {
    if (this.#run !== run) {
      Object.assign(this.#article.dataset, { status: run.status, sequence: run.sequence, count: taken });
      setText(this.#who, run.agent ?? 'agent');
      this.#showSteps(run);
      this.#showEnd(run, taken);
      this.#run = run;
      this.tick();
    }

    this.#stop.hidden = hasEnded(run);
    this.#stop.ariaDisabled = isStopping;
    setText(this.#stop, isStopping ? 'Stopping…' : 'Stop');
  }

  /** Time has passed. */
  tick() {
    setText(this.#state, [when(this.#run.requestedAt), ...stateOf(this.#run)].filter(Boolean).join(' · '));
  }

  #showSteps(run) {
    const shown = this.#run?.steps ?? [];
    this.#from = Math.min(this.#from, run.steps.length);
    this.#earlier.hidden = this.#from === 0;
    setText(this.#earlier, `Show ${count(this.#from, 'earlier step')}`);
    this.#from === 0 ? showSteps(this.#steps, run.steps, shown)
      : showSteps(this.#steps, run.steps.slice(this.#from), shown.slice(this.#from));
  }

  #showEarlier() {
    const run = this.#run;
    this.#from = Math.max(0, this.#from - mostSteps * 2);
    this.#steps.replaceChildren();
    this.#run = null;
    this.#showSteps(run);
    this.#run = run;
    this.#steps.firstElementChild.querySelector('summary')?.focus();
  }

  #showEnd(run, taken) {
    const failure = run.status === 'failed' || run.status === 'cancelled' ? describeFailure(run) : '';
    this.#failure.hidden = failure === '';
    setText(this.#failure, failure);
    this.#ending.hidden = !hasEnded(run);
    setText(this.#ending, [
      endings[run.status],
      duration(run.requestedAt, run.endedAt),
      count(taken, 'event'),
      run.incomplete && 'its oldest events are no longer kept',
    ].filter(Boolean).join(' · '));
  }
}

function stateOf(run) {
  if (hasEnded(run) || run.status === 'queued') {
    return [endings[run.status]?.toLowerCase() ?? 'waiting for a worker'];
  }

  const seconds = Math.floor((Date.now() - Date.parse(run.startedAt)) / 1_000);
  return ['working', seconds > 0 && span(seconds * 1_000).replace('.0', '')];
}
