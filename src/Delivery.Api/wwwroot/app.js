import { announcements } from './announcements.js';
import { Api, DevToken, GivenToken, newId } from './api.js';
import { Composer } from './composer.js';
import { setText } from './dom.js';
import { EventConnection } from './events.js';
import { emptyHistory, fold } from './runs.js';
import { forgetToken, recall, recallToken, remember, takeToken } from './settings.js';
import { RunList, scrollToEnd, showConnection, showNotice, showThreads } from './view.js';

const find = id => document.getElementById(id);

/** Everything that belongs to one person; replaced as a whole when another one signs in. */
let account = null;
let drawing = false;

const runList = new RunList(stop);
const composer = new Composer(send, () => account.thread);

function signIn(user, given) {
  account?.connection.stop();
  const session = given ? new GivenToken(given, forgetToken) : new DevToken(document.baseURI, user);
  const signedIn = {
    user,
    given,
    thread: recall(`thread:${given ? '' : user}`) ?? 'main',
    api: new Api(document.baseURI, session),
    history: emptyHistory,
    heard: null,
    stopping: new Set(),
    phase: 'connecting',
  };
  const ifCurrent = act => argument => {
    if (account === signedIn) {
      act(argument);
    }
  };
  signedIn.connection = new EventConnection({
    url: new URL('v1/events', document.baseURI),
    session,
    onEvents: ifCurrent(receive),
    onReset: ifCurrent(restart),
    onState: ifCurrent(connectionChanged),
  });
  account = signedIn;
  find('user').value = user;
  find('identity').hidden = given !== null;
  find('signed-in').hidden = given === null;
  runList.clear();
  draw();
  signedIn.connection.start();
}

function receive(events) {
  account.history = fold(account.history, events);
  scheduleDraw();
}

/** The history we had is gone or another one: what follows begins anew. */
function restart() {
  account.history = emptyHistory;
  account.heard = null;
  runList.clear();
  scheduleDraw();
}

function connectionChanged(state) {
  const tokenReason = account.given ? 'token-refused' : 'token';
  account.phase = state.phase;
  showConnection(state);
  showNotice(state.reason === 'token' ? tokenReason : state.reason);
  scheduleDraw();
}

function scheduleDraw() {
  if (!drawing) {
    drawing = true;
    // A hidden page gets no animation frames.
    document.hidden ? setTimeout(draw, 250) : requestAnimationFrame(draw);
  }
}

function draw() {
  drawing = false;
  const all = [...account.history.runs.values()];
  const runs = all.filter(run => run.thread === account.thread);
  const threads = new Map();
  for (const run of all) {
    threads.set(run.thread, threads.get(run.thread) ?? run.input ?? run.thread);
  }

  showThreads(threads, account.thread);
  find('empty').hidden = runs.length > 0 || account.phase !== 'live';
  runList.show(runs, account.stopping);
  announce();
}

/** The past is not read out; what changes from the moment we first were live is. */
function announce() {
  if (account.heard !== null) {
    const said = announcements(account.heard, account.history);
    if (said.length > 0) {
      setText(find('announcer'), said.join(' '));
    }
  }

  if (account.heard !== null || account.phase === 'live') {
    account.heard = account.history;
  }
}

async function send(text, key) {
  await account.api.startRun(account.thread, text, key);
  scrollToEnd();
}

async function stop(run) {
  const { api, stopping } = account;
  stopping.add(run);
  scheduleDraw();
  try {
    await api.cancelRun(run);
  } catch (error) {
    stopping.delete(run);
    setText(find('composer-status'), `The run could not be stopped: ${error.message}`);
    scheduleDraw();
  }
}

function openThread(thread) {
  account.thread = thread;
  remember(`thread:${account.given ? '' : account.user}`, thread);
  runList.clear();
  draw();
  scrollToEnd();
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
find('thread').addEventListener('change', event => openThread(event.target.value));
find('new-thread').addEventListener('click', () => {
  openThread(`t-${newId()}`);
  composer.focus();
});
find('reconnect').addEventListener('click', () => account.connection.start());
for (const example of document.querySelectorAll('.example')) {
  example.addEventListener('click', () => composer.submit(example.textContent));
}

window.addEventListener('online', () => account.connection.networkChanged());
window.addEventListener('offline', () => account.connection.networkChanged());
window.addEventListener('pageshow', event => {
  if (event.persisted) {
    account.connection.networkChanged();
  }
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) {
    account.connection.wake();
  }
});
window.addEventListener('hashchange', () => {
  const given = takeToken();
  if (given) {
    signIn(account.user, given);
  }
});

signIn(recall('user') ?? 'alice', takeToken() ?? recallToken());
