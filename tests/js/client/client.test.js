import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { connect } from '../../../src/Delivery.Api/client/index.js';
import { browser } from '../../../src/Delivery.Api/client/platform.js';
import { settled } from './clock.js';
import { begin, frame, live, position, positions, ready } from './scripted.js';

const kept = (cursor, more) => ({ saved: [], load: () => cursor, save(to) { this.saved.push(to); }, ...more });

test('reading starts where the store says, and what is handled is saved', async () => {
  const store = kept(position(4));
  const { script, receive, events } = await begin({ after: undefined, store });
  assert.equal(events.cursor, position(4));
  assert.equal(script.socket.after, position(4));
  await receive(ready(position(4)), frame(5, 6));
  assert.deepEqual(store.saved, positions(5, 6));
});

test('a store may take its time', async () => {
  const store = kept(null, { load: async () => { await settled(); return position(4); } });
  const { script } = await begin({ after: undefined, store });
  await settled();
  assert.equal(script.socket.after, position(4));
});

test('a slow store is given one cursor at a time, and the newest next', async () => {
  const doors = [], saved = [];
  const store = { load: () => null, save: cursor => new Promise(open => { saved.push(cursor); doors.push(open); }) };
  const { receive, seen } = await begin({ store });
  await receive(ready('0'), frame(1, 5));
  assert.deepEqual([seen, saved], [positions(1, 5), positions(1, 1)]);
  doors[0]();
  await settled();
  assert.deepEqual(saved, [position(1), position(5)]);
  doors[1]();
  await settled();
  assert.equal(saved.length, 2);
});

test('a given cursor wins over the store', async () => {
  const { script } = await begin({ after: position(2), store: kept(position(4)) });
  assert.equal(script.socket.after, position(2));
});

test('a store that fails, at once or later, breaks nothing', async () => {
  for (const fails of [() => { throw new Error('quota'); }, () => Promise.reject(new Error('quota'))]) {
    const { receive, seen, events, script } = await begin({ after: undefined, store: { load: fails, save: fails } });
    assert.equal(script.socket.after, null);
    await receive(ready(position(0)), frame(1, 2));
    assert.deepEqual(seen, positions(1, 2));
    assert.equal(events.cursor, position(2));
  }
});

test('acks say what was handled, once a second at most, and at the end', async () => {
  const { script, receive, clock, events } = await begin({ client: 'c1' });
  await receive(ready('0'), frame(1, 3));
  assert.deepEqual(script.socket.sent, []);
  await clock.pass(1_000);
  assert.deepEqual(script.socket.sent, [{ type: 'ack', cursor: position(3) }]);
  await clock.pass(5_000);
  assert.equal(script.socket.sent.length, 1);
  await receive(frame(4, 4));
  events.close();
  assert.deepEqual(script.socket.sent.at(-1), { type: 'ack', cursor: position(4) });
});

test('a page that is left acks what was handled', async () => {
  const { script, receive, tab } = await begin({ client: 'c1' });
  await receive(ready('0'), frame(1, 3));
  tab.window.dispatchEvent(new Event('pagehide'));
  assert.deepEqual(script.socket.sent, [{ type: 'ack', cursor: position(3) }]);
});

test('without a client id nothing is acked', async () => {
  const { script, receive, clock, events } = await begin();
  await receive(ready('0'), frame(1, 3));
  await clock.pass(5_000);
  events.close();
  assert.deepEqual(script.socket.sent, []);
});

test('an ack that could not be sent goes with the next connection', async () => {
  const { script, receive, clock, closeWith } = await begin({ client: 'c1' });
  await receive(ready('0'), frame(1, 3));
  await closeWith(1006);
  await clock.pass(2_000);
  await receive(ready(position(3), 'live'));
  await clock.pass(1_000);
  assert.deepEqual(script.socket.sent, [{ type: 'ack', cursor: position(3) }]);
});

test('ready resolves with the first ready frame', async () => {
  const { receive, events } = await begin();
  let isReady = false;
  events.ready.then(() => { isReady = true; });
  await settled();
  assert.equal(isReady, false);
  await receive(ready('0'));
  assert.equal(isReady, true);
});

test('after close nothing is heard, handed out, connected or left', async () => {
  const { receive, events, seen, clock, script, tab } = await begin({ client: 'c1' });
  await receive(ready('0', 'live'), frame(1, 1));
  const { socket } = script;
  events.close();
  events.close();
  assert.equal(events.state.status, 'closed');
  assert.equal(events.state.reason, null);
  socket.receive(frame(2, 2));
  events.reconnect();
  tab.window.dispatchEvent(new Event('online'));
  await clock.pass(3_600_000);
  assert.deepEqual(seen, positions(1, 1));
  assert.equal(script.sockets.length, 1);
  assert.deepEqual(tab.leftovers, { timers: 0, listeners: 0, channels: 0 });
  assert.equal(clock.pending, 0);
});

test('closing before anything was heard leaves nothing either', async () => {
  const { events, tab } = await begin();
  events.close();
  await settled();
  await assert.rejects(events.ready);
  assert.deepEqual(tab.leftovers, { timers: 0, listeners: 0, channels: 0 });
});

test('a signal closes, before or after', async () => {
  const abort = new AbortController();
  const { events } = await begin({ signal: abort.signal });
  abort.abort();
  assert.equal(events.state.status, 'closed');
  const { events: late, script } = await begin({ signal: AbortSignal.abort() });
  assert.equal(late.state.status, 'closed');
  assert.equal(script.sockets.length, 0);
});

test('disposing waits for what is being handled, whose cursor is saved', async () => {
  const store = kept(null);
  const { events, receive } = await begin({ store }, { listens: false });
  let finish;
  events.on('*', () => new Promise(resolve => { finish = resolve; }));
  await receive(ready('0'), frame(1, 2));
  let isDisposed = false;
  events[Symbol.asyncDispose]().then(() => { isDisposed = true; });
  await settled();
  assert.equal(isDisposed, false);
  finish();
  await settled();
  assert.equal(isDisposed, true);
  assert.deepEqual(store.saved, positions(1, 1));
});

test('a failure that nobody listens for is written to the console', async () => {
  const written = mock.method(console, 'error', () => { });
  const tab = (await begin()).tab;
  const script = { connect: (...given) => { script.socket = { close() { }, given }; return script.socket; }, fetch: () => new Promise(() => { }) };
  const page = tab.browser.tab(script);
  const events = connect({ url: '/', token: 't', share: false, after: '0' }, page.platform);
  events.on('*', () => { throw new Error('unheard'); });
  await settled();
  script.socket.onmessage({ data: JSON.stringify(frame(1, 1)) });
  script.socket.onmessage({ data: JSON.stringify(ready('0')) });
  script.socket.onmessage({ data: JSON.stringify(frame(1, 1)) });
  await settled();
  assert.equal(written.mock.calls[0].arguments[0].message, 'unheard');
  written.mock.restore();
});

test('a listener of states that throws disturbs nobody', async () => {
  const written = mock.method(console, 'error', () => { });
  const { events, receive, seen, states } = await begin();
  events.on('state', () => { throw new Error('state'); });
  await receive(ready('0'), frame(1, 1), live(position(1)));
  assert.deepEqual(seen, positions(1, 1));
  assert.equal(states.at(-1).status, 'live');
  written.mock.restore();
});

test('off ends a listening', async () => {
  const { events, receive } = await begin();
  const seen = [];
  const off = events.on('state', state => seen.push(state));
  off();
  await receive(ready('0', 'live'));
  assert.deepEqual(seen, []);
});

test('10,000 events of history cost few states', async () => {
  const { receive, states } = await begin();
  await receive(ready('0', 'replaying', { head: position(10_000) }));
  for (let from = 1; from <= 10_000; from += 500) {
    await receive(frame(from, from + 499));
  }

  await receive(live(position(10_000)));
  assert.ok(states.length < 50, `${states.length} states`);
});

test('the library loads without a document and without Web Locks', () => {
  assert.equal(browser.document, undefined);
  assert.equal(browser.visible(), true);
  assert.equal(browser.online(), true);
});

test('a steady stream does not put acks off', async () => {
  const { script, receive, clock } = await begin({ client: 'c1' });
  await receive(ready('0'));
  for (let number = 1; number <= 30; number++) {
    await receive(frame(number, number));
    await clock.pass(100);
  }

  assert.ok(script.socket.sent.length >= 2 && script.socket.sent.length <= 3, `${script.socket.sent.length} acks in 3 s`);
});

test('a heartbeat at the head says that it is live, should the word itself have been lost', async () => {
  const { receive, events } = await begin();
  await receive(ready('0', 'replaying', { head: position(2) }), frame(1, 2), { type: 'heartbeat', cursor: position(2) });
  assert.equal(events.state.status, 'live');
});

test('closed stays closed while the last handlers return', async () => {
  const { events, receive, clock } = await begin({}, { listens: false });
  let finish;
  events.on('*', () => new Promise(resolve => { finish = resolve; }));
  await receive(ready('0'), frame(1, 2));
  events.close();
  clock.time += 1_000;
  finish();
  await settled();
  assert.equal(events.state.status, 'closed');
});
