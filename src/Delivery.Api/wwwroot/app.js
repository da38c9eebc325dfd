import { Account } from './account.js';
import { announcements } from './announcements.js';
import { Composer } from './composer.js';
import { ConnectionView } from './connection-view.js';
import { find, setText } from './dom.js';
import { hasEnded } from './history.js';
import { newId } from './outbox.js';
import { PendingList } from './pending-list.js';
import { ReadingPosition } from './reading.js';
import { RunList } from './run-list.js';
import { forgetToken, recall, recallToken, remember, takeToken } from './settings.js';
import { offerThemes } from './theme-choice.js';
import { ThreadList, threadsOf } from './threads.js';

/** @type {Account|null} */
let account = null;
let isDrawing = false;
/** The newest run of the open thread as it was drawn last. */
let newest;

const reading = new ReadingPosition(find('transcript'), find('content'), find('newer'));
const connection = new ConnectionView({ onRetry: () => account.events.reconnect() });
const composer = new Composer({ onSend: send, onStop: () => stop(running()?.id) });
const pendingList = new PendingList(find('pending'), {
  onRetry: key => account.outbox.retry(key),
  onDiscard: key => account.outbox.discard(key),
});
const runList = new RunList(find('runs'), find('earlier'), { onStop: stop, onEarlier: showEarlier });
const threadList = new ThreadList(find('threads'), find('more-threads'), { onOpen: openThread, onMore: scheduleDraw });

function signIn(user, given) {
  account?.events.close();
  const ifCurrent = act => (...values) => account === signedIn && act(...values);
  const signedIn = new Account({ user, given, thread: recall(`thread:${given ? '' : user}`) }, {
    onChange: ifCurrent(scheduleDraw),
    onReset: ifCurrent(restart),
    onState: ifCurrent(showConnection),
  });
  account = signedIn;
  find('user').value = user;
  find('identity').hidden = given !== null;
  find('signed-in').hidden = given === null;
  showConnection(account.events.state);
  restart();
}

function restart() {
  runList.clear();
  scheduleDraw();
}

function showConnection(state) {
  if (state.status === 'closed' && state.reason === 'token') {
    forgetToken();
  }

  connection.show(state, { isGiven: account.given !== null, cursor: account.events.cursor, problem: account.problem });
  scheduleDraw();
}

function scheduleDraw() {
  if (!isDrawing) {
    isDrawing = true;
    // A hidden page gets no animation frames.
    document.hidden ? setTimeout(draw, 250) : requestAnimationFrame(draw);
  }
}

function draw() {
  isDrawing = false;
  const pending = account.outbox.of(account.thread);
  pendingList.show(pending);
  if (account.isCatchingUp) {
    return;
  }

  const threads = threadsOf(account.projection);
  account.thread ??= threads[0]?.id ?? 'main';
  const { thread, runs, history, stopping } = account;
  const title = threads.find(({ id }) => id === thread)?.title ?? 'New thread';
  threadList.show(threads, thread);
  setText(find('title'), title);
  document.title = `${title} · Pipeline`;
  find('empty').hidden = runs.length + pending.length > 0 || !isOpen();
  composer.show(running() !== undefined, stopping.has(running()?.id));
  if (!runList.show(runs, history.counts, stopping)) {
    scheduleDraw();
  }

  if (runs.at(-1) !== newest) {
    newest = runs.at(-1);
    reading.arrived();
  }

  announce();
}

/** The past is not read out; what changes from the moment we first were live is. */
function announce() {
  const said = account.heard === null ? [] : announcements(account.heard, account.projection, account.thread);
  if (said.length > 0) {
    setText(find('announcer'), said.join(' '));
  }

  if (account.heard !== null || isOpen()) {
    account.heard = account.projection;
  }
}

const isOpen = () => ['live', 'degraded'].includes(account.events.state.status);

/** The newest run of the open thread that has not ended. */
const running = () => account.runs.findLast(run => !hasEnded(run));

function send(text) {
  account.thread ??= 'main';
  account.send(text);
  reading.toEnd();
}

async function stop(run) {
  const problem = run && !account.stopping.has(run) && await account.stop(run);
  problem && composer.tell(problem);
}

function openThread(thread) {
  account.thread = thread;
  remember(`thread:${account.given ? '' : account.user}`, thread);
  find('sidebar').matches(':popover-open') && find('sidebar').hidePopover();
  restart();
  reading.toEnd();
}

function showEarlier() {
  reading.growAbove();
  scheduleDraw();
}

function changeUser() {
  const user = find('user').value.trim();
  if (user !== '' && user !== account.user) {
    remember('user', user);
    signIn(user, null);
  }
}

find('identity').addEventListener('submit', event => {
  event.preventDefault();
  changeUser();
});
find('user').addEventListener('change', changeUser);
find('new-thread').addEventListener('click', () => {
  openThread(`t-${newId()}`);
  composer.focus();
});
for (const example of document.querySelectorAll('.example')) {
  example.addEventListener('click', () => send(example.textContent));
}

window.addEventListener('hashchange', () => {
  const given = takeToken();
  if (given) {
    signIn(account.user, given);
  }
});
matchMedia('(min-width: 54rem)').addEventListener('change', () => {
  find('sidebar').matches(':popover-open') && find('sidebar').hidePopover();
});
setInterval(() => document.hidden || runList.tick(account.runs), 1_000);
offerThemes(find('themes'));
signIn(recall('user') ?? 'alice', takeToken() ?? recallToken());
