import { duration, element, setText } from './dom.js';
import { hasEnded } from './runs.js';
import { showSteps } from './steps.js';

const find = id => document.getElementById(id);

const phases = {
  connecting: 'Connecting…',
  'catching-up': 'Catching up…',
  live: 'Live',
  offline: 'Connection lost, trying again…',
  stopped: 'Not connected',
};

const dependencies = { bus: 'message bus', log: 'event log' };

const statuses = {
  queued: 'Waiting for a worker',
  running: 'Working',
  completed: 'Done',
  failed: 'Failed',
  cancelled: 'Stopped',
};

/** Shows the state of the connection; `degraded` names what the server lacks at the moment. */
export function showConnection({ phase, degraded }) {
  const text = phase === 'offline' && !navigator.onLine ? 'Offline, waiting for the network…' : phases[phase];
  const missing = degraded.map(name => dependencies[name] ?? name).join(', ');
  find('connection').dataset.phase = phase;
  find('connection').dataset.degraded = degraded.join(' ');
  setText(find('connection-text'), missing ? `${text} · degraded: ${missing}` : text);
}

/** Tells why nothing comes and what to do; null takes the notice away. */
export function showNotice(reason) {
  const texts = {
    token: 'This server needs a token to know who you are, and hands out none itself.',
    'token-refused': 'The token was refused: it has expired, or is not for this server.',
    replaced: 'This page was opened in another place and goes on there.',
    refused: 'The server refuses this connection.',
    defect: 'The server does not understand this page. Reload it; it may be older than the server.',
  };
  const needsToken = reason === 'token' || reason === 'token-refused';
  find('notice').hidden = reason === null;
  find('notice-hint').hidden = !needsToken;
  find('reconnect').hidden = needsToken;
  setText(find('notice-text'), texts[reason] ?? '');
  setText(find('notice-address'), `${location.origin}${location.pathname}#token=YOUR_TOKEN`);
}

/** The conversations to choose from, newest last; each named after its first request. */
export function showThreads(threads, current) {
  const select = find('thread');
  const options = [...threads].map(([id, title]) => element('option', { value: id, textContent: shorten(title) }));
  if (!threads.has(current)) {
    options.push(element('option', { value: current, textContent: 'New conversation' }));
  }

  const signature = JSON.stringify(options.map(option => [option.value, option.textContent]));
  if (select.dataset.signature !== signature) {
    select.dataset.signature = signature;
    select.replaceChildren(...options);
  }

  select.value = current;
}

/** The runs of the conversation. Keeps the elements of what did not change. */
export class RunList {
  #list = find('runs');
  #shown = new Map();
  #onStop;

  /** @param onStop called with the id of the run whose stop button was pressed */
  constructor(onStop) {
    this.#onStop = onStop;
  }

  clear() {
    this.#shown.clear();
    this.#list.replaceChildren();
  }

  /**
   * @param runs in the order of their requests
   * @param stopping ids of the runs that were asked to stop
   */
  show(runs, stopping) {
    const follow = isAtEnd();
    for (const run of runs) {
      const card = this.#shown.get(run.id) ?? this.#add(run);
      const isStopping = stopping.has(run.id);
      if (card.run !== run || card.isStopping !== isStopping) {
        updateCard(card, run, isStopping);
      }
    }

    if (follow) {
      scrollToEnd();
    }
  }

  #add(run) {
    const card = createCard(run, () => this.#onStop(run.id));
    this.#shown.set(run.id, card);
    this.#list.append(element('li', {}, card.article));
    return card;
  }
}

export function scrollToEnd() {
  window.scrollTo({ top: document.documentElement.scrollHeight });
}

function isAtEnd() {
  const { scrollHeight } = document.documentElement;
  return window.innerHeight + window.scrollY >= scrollHeight - 120;
}

function createCard(run, onStop) {
  const request = element('h2', { className: 'request', id: `request-${run.id}` });
  const steps = element('ol', { className: 'steps' });
  const failure = element('p', { className: 'failure', hidden: true });
  const status = element('p', { className: 'status' });
  const stop = element('button', { type: 'button', className: 'stop', textContent: 'Stop' });
  stop.addEventListener('click', onStop);
  stop.setAttribute('aria-describedby', request.id);
  const article = element('article', { className: 'run', data: { run: run.id } },
    request, steps, failure, element('footer', {}, status, stop));
  article.setAttribute('aria-labelledby', request.id);
  return { article, request, steps, failure, status, stop, run: null, isStopping: false };
}

function updateCard(card, run, isStopping) {
  Object.assign(card.article.dataset, { status: run.status, sequence: run.sequence, count: run.count });
  setText(card.request, run.input ?? `Run ${run.id}`);
  showSteps(card.steps, run.steps, card.run?.steps ?? []);
  card.failure.hidden = run.failure === null;
  setText(card.failure, run.failure ?? '');
  setText(card.status, describe(run));
  card.stop.hidden = hasEnded(run);
  card.stop.disabled = isStopping;
  setText(card.stop, isStopping ? 'Stopping…' : 'Stop');
  card.run = run;
  card.isStopping = isStopping;
}

function describe(run) {
  return [
    statuses[run.status],
    run.endedAt && duration(run.requestedAt, run.endedAt),
    `${run.count} ${run.count === 1 ? 'event' : 'events'}`,
    run.incomplete && 'its oldest events are no longer kept',
  ].filter(Boolean).join(' · ');
}

const shorten = text => text.length > 60 ? `${text.slice(0, 60)}…` : text;
