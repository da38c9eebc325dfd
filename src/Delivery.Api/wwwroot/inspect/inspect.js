import { TokenUnavailable, connect } from '../client/index.js';
import { browser } from '../client/platform.js';
import { ConnectionView } from '../connection-view.js';
import { find, setText } from '../dom.js';
import { bytes, count, span } from '../format.js';
import { newId } from '../outbox.js';
import { devTokens, service } from '../session.js';
import { forgetToken, recall, recallToken, remember, takeToken } from '../settings.js';
import { offerThemes } from '../theme-choice.js';
import { Wire } from './faults.js';
import { Figures } from './figures.js';
import { Log } from './log.js';
import { Recovery, positionOf } from './recovery.js';
import { Rows } from './rows.js';
import { VirtualTable } from './table.js';

const slowness = 200;
const outage = 10_000;

/** @type {ReturnType<typeof connect>} */
let events;
let recovery, figures, wire, user, given;
let problem = null;
let isPaused = false;
let isDirty = true;
let willThrow = false;

const rows = new Rows();
const log = new Log(find('log'));
const told = new Log(find('recoveries'));
const table = new VirtualTable(find('scroller'), find('table'), openRow);
const connection = new ConnectionView({ onRetry: () => events.reconnect() });

function signIn(name, token) {
  events?.close();
  user = name;
  given = token;
  rows.clear();
  told.clear();
  log.clear();
  figures = new Figures();
  recovery = new Recovery(() => performance.now(), tell);
  wire = new Wire(browser, frame => {
    recovery.frame(frame);
    log.add(describeFrame(frame), 'frame');
  });
  find('user').value = user;
  find('identity').hidden = given !== null;
  const mine = events = connect({ url: service, token: given ?? tokens(user), after: '0', share: false }, wire.platform);
  events.on('events', batch => take(batch, mine));
  events.on('reset', ({ reason, cursor }) => {
    rows.clear();
    recovery.reset(reason, cursor);
  });
  events.on('error', () => recovery.threw());
  events.on('state', state => events === mine && showState(state));
  showState(events.state);
}

function tokens(name) {
  const ask = devTokens(service, name, TokenUnavailable);
  return () => ask().catch(error => {
    problem = error.message;
    throw error;
  });
}

function showState(state) {
  if (state.status === 'closed' && state.reason === 'token') {
    forgetToken();
  }

  const { status, behind, retryAt } = state;
  recovery.state(state);
  connection.show(state, { isGiven: given !== null, cursor: events.cursor, problem });
  log.add([status, behind > 0 && `${behind} behind`, retryAt && `retry in ${span(Math.max(0, retryAt - Date.now()))}`]
    .filter(Boolean).join(', '), 'state');
  const isFramed = state.transport === 'websocket' || state.transport === null;
  find('skip').disabled = find('twice').disabled = !isFramed;
  isDirty = true;
}

async function take(batch, mine) {
  if (willThrow) {
    willThrow = false;
    throw new Error('Thrown on purpose, by the button.');
  }

  for (let at = 0; at < batch.length; at++) {
    if (find('slow').getAttribute('aria-pressed') === 'true') {
      await new Promise(resolve => setTimeout(resolve, slowness));
      add(batch.slice(at, at + 1), mine);
    } else {
      add(batch.slice(at), mine);
      return;
    }
  }
}

function add(taken, mine) {
  if (events === mine) {
    const isLive = events.state.behind === 0;
    const now = Date.now();
    rows.add(taken, isLive ? now : null);
    figures.arrived(taken.length, now);
    isLive && taken.forEach(({ time }) => figures.latency(now - Date.parse(time)));
    recovery.took(taken);
    isDirty = true;
  }
}

function tell(sentence) {
  told.add(sentence);
  setText(find('said'), sentence);
}

function describeFrame({ type, events: some, resume, reason, degraded, cursor }) {
  const ends = some ? [...new Set([some[0], some.at(-1)].map(event => positionOf(event.cursor)))].join('–') : cursor;
  return [type, some && `×${some.length}`, resume, reason, degraded?.length && degraded.join(' '), ends].filter(Boolean).join(' ');
}

function openRow(row) {
  find('event').hidden = false;
  setText(find('event-title'), `Event ${row.position}, ${bytes(row.size)}`);
  find('event-json').textContent = JSON.stringify(JSON.parse(row.json), null, 2);
}

function draw() {
  const state = events.state;
  const show = (id, value) => setText(find(id), value === null ? '–' : String(value));
  show('figure-head', recovery.head);
  show('figure-cursor', recovery.handled);
  show('figure-behind', Math.max(state.behind ?? 0, recovery.waiting));
  show('figure-transport', state.transport);
  show('figure-rate', figures.rate(Date.now()).toFixed(1));
  for (const [id, share] of [['figure-p50', 0.5], ['figure-p99', 0.99]]) {
    const value = figures.percentile(share);
    show(id, value === null ? null : span(value));
  }

  show('figure-reconnects', recovery.reconnects);
  show('figure-duplicates', recovery.duplicates);
  show('figure-gaps', recovery.gaps);
  show('figure-resets', recovery.resets);
  if (isDirty && !isPaused) {
    isDirty = false;
    drawRows();
  }
}

function drawRows() {
  table.show(rows.passing.slice());
  setText(find('shown'), `${rows.passing.length.toLocaleString('en')} of ${count(rows.length, 'event')}`);
  const select = find('filter-type');
  for (const [type, number] of rows.types) {
    const option = [...select.options].find(option => option.value === type) ?? select.appendChild(new Option('', type));
    option.text = `${type} (${number.toLocaleString('en')})`;
  }
}

function toggle(button) {
  const isOn = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', isOn);
  return isOn;
}

/** @type {Record<string, () => void>} */
const breaks = {
  drop: () => {
    recovery.broke('socket dropped');
    wire.cut();
  },
  offline: async () => {
    recovery.broke('network gone');
    find('offline').disabled = true;
    await wire.goDown(outage);
    find('offline').disabled = false;
  },
  skip: () => {
    wire.swallow();
    tell('the next frame of events will be swallowed');
  },
  twice: () => {
    wire.duplicate();
    tell('the next frame of events will come twice');
  },
  slow: () => tell(toggle(find('slow')) ? `the handler takes ${slowness} ms an event from now on`
    : `the handler is fast again, ${count(recovery.waiting, 'event')} waited`),
  throw: () => {
    willThrow = true;
    tell('the handler throws at the next event');
  },
  start: () => events.startRun('inspect', 'What is (17 + 4) * 2, and what time is it?', { key: newId() })
    .catch(error => tell(`the run was not started: ${error.message}`)),
};

for (const [id, act] of Object.entries(breaks)) {
  find(id).addEventListener('click', act);
}

find('pause').addEventListener('click', () => { isPaused = toggle(find('pause')); });
find('close-event').addEventListener('click', () => { find('event').hidden = true; });
for (const name of ['type', 'thread', 'run', 'text']) {
  find(`filter-${name}`).addEventListener('input', ({ target }) => {
    rows.filter({ [name]: target.value.trim() });
    drawRows();
  });
}

find('identity').addEventListener('submit', event => {
  event.preventDefault();
  const name = find('user').value.trim();
  if (name !== '' && name !== user) {
    remember('user', name);
    signIn(name, null);
  }
});
offerThemes(find('themes'));
signIn(recall('user') ?? 'alice', takeToken() ?? recallToken());
setInterval(draw, 100);
