import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { Wire } from '../../src/Delivery.Api/wwwroot/inspect/faults.js';
import { Figures } from '../../src/Delivery.Api/wwwroot/inspect/figures.js';
import { Recovery } from '../../src/Delivery.Api/wwwroot/inspect/recovery.js';
import { Rows } from '../../src/Delivery.Api/wwwroot/inspect/rows.js';
import { FakeSocket, eventsOf, frame, position } from './fakes.js';

const live = { status: 'live', behind: 0 };
const away = { status: 'offline', behind: null };

let now, told, recovery;

beforeEach(() => {
  mock.timers.reset();
  now = 0;
  told = [];
  recovery = new Recovery(() => now, sentence => told.push(sentence));
  recovery.frame({ type: 'ready', cursor: position(0), head: position(41) });
  arrive(1, 41);
  recovery.state(live);
});

function arrive(from, to) {
  recovery.frame(frame(from, to));
  recovery.took(frame(from, to).events);
}

test('a gap, and what it took to close it, is told', () => {
  recovery.frame(frame(43, 43));
  recovery.state(away);
  now = 30;
  recovery.frame({ type: 'ready', cursor: position(41), head: position(43) });
  arrive(42, 43);
  now = 38;
  recovery.state(live);
  assert.deepEqual(told, ['gap noticed at 41, re-read 2 events, 38 ms']);
  assert.deepEqual([recovery.gaps, recovery.head, recovery.handled], [1, 43, 43]);
});

test('a heartbeat that stands further on is a gap too', () => {
  recovery.frame({ type: 'heartbeat', cursor: position(41) });
  assert.equal(recovery.gaps, 0);
  recovery.frame({ type: 'heartbeat', cursor: position(42) });
  assert.equal(recovery.gaps, 1);
});

test('a lost connection is told with its cause, once', () => {
  recovery.broke('socket dropped');
  recovery.state(away);
  now = 500;
  recovery.state(live);
  recovery.state(away);
  recovery.state(live);
  assert.deepEqual(told, ['socket dropped at 41, re-read 0 events, 500 ms', 'connection lost at 41, re-read 0 events, 0 ms']);
  assert.equal(recovery.reconnects, 2);
});

test('duplicates are counted and told', () => {
  arrive(42, 43);
  recovery.frame(frame(42, 43));
  assert.deepEqual(told, ['2 events came twice at 42, dropped']);
  assert.equal(recovery.duplicates, 2);
});

test('a handler that threw is told when it gets the same event again', () => {
  recovery.frame(frame(42, 42));
  recovery.threw();
  now = 300;
  recovery.took(frame(42, 42).events);
  assert.deepEqual(told, ['handler threw at 42, the same event came again 300 ms later']);
});

test('events that wait for a slow handler are counted', () => {
  recovery.frame(frame(42, 50));
  assert.equal(recovery.waiting, 9);
  recovery.took(frame(42, 44).events);
  assert.equal(recovery.waiting, 6);
});

test('after a reset another history begins', () => {
  recovery.frame({ type: 'reset', cursor: 'epoch2_7', reason: 'expired' });
  recovery.reset('expired', 'epoch2_7');
  arrive(8, 9);
  assert.equal(recovery.gaps, 0);
  assert.equal(recovery.resets, 1);
  assert.match(told[0], /reset \(expired\).*after 7/);
});

test('of live events the latencies of the last thousand count', () => {
  const figures = new Figures();
  assert.equal(figures.percentile(0.5), null);
  for (let value = 1; value <= 1_100; value++) {
    figures.latency(value);
  }

  assert.equal(figures.percentile(0.5), 600);
  assert.equal(figures.percentile(0.99), 1_090);
});

test('the rate is that of the last five seconds', () => {
  const figures = new Figures();
  figures.arrived(100, 0);
  figures.arrived(10, 4_000);
  assert.equal(figures.rate(4_500), 22);
  assert.equal(figures.rate(5_000), 2);
  assert.equal(figures.rate(10_000), 0);
});

test('rows can be filtered by type, thread, run and any text', () => {
  const rows = new Rows();
  rows.add(eventsOf('one', [['agent_started'], ['agent_message', { text: 'Über den Wolken' }]], { thread: 'a' }), null);
  rows.filter({ type: 'agent_message' });
  assert.equal(rows.passing.length, 1);
  rows.add(eventsOf('two', [['agent_message', { text: 'x' }], ['agent_completed']], { thread: 'b' }), null);
  assert.equal(rows.passing.length, 2, 'what arrives is filtered too');
  rows.filter({ thread: 'b' });
  assert.deepEqual(rows.passing.map(row => row.position), [1]);
  rows.filter({ thread: '', run: 'one', text: 'über' });
  assert.deepEqual(rows.passing.map(row => row.position), [2]);
  assert.deepEqual([...rows.types], [['agent_started', 1], ['agent_message', 2], ['agent_completed', 1]]);
});

test('a row has the size of its event in bytes, and a latency only if it arrived live', () => {
  const [event] = eventsOf('r', [['agent_message', { text: 'é' }]]);
  const rows = new Rows();
  rows.add([event], null);
  rows.add([event], Date.parse(event.time) + 17);
  assert.equal(rows.passing[0].size, JSON.stringify(event).length + 1);
  assert.deepEqual(rows.passing.map(row => row.latency), [null, 17]);
});

test('the oldest rows are let go before there are too many', () => {
  const rows = new Rows();
  rows.add(eventsOf('r', Array(60_000).fill(['note'])), null);
  assert.equal(rows.length, 50_000);
  assert.equal(rows.passing[0].position, 10_001);
  assert.equal(rows.types.get('note'), 50_000);
});

/** A wire, and what the library would hear over its sockets. */
function wired() {
  FakeSocket.opened = [];
  const window = new EventTarget();
  const watched = [];
  const wire = new Wire({
    WebSocket: FakeSocket, window, online: () => true, setTimeout,
    fetch: (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  }, seen => watched.push(seen.cursor));
  const heard = [];
  const connect = () => {
    const socket = new wire.platform.WebSocket('wss://example.test/', []);
    socket.onmessage = ({ data }) => heard.push(JSON.parse(data).cursor);
    socket.onclose = ({ code }) => heard.push(code);
    return socket;
  };
  return { wire, window, watched, heard, connect };
}

test('the wire passes everything on until it is broken', () => {
  const { heard, watched, connect } = wired();
  connect();
  FakeSocket.opened[0].receive(frame(1, 2));
  assert.deepEqual(heard, [position(2)]);
  assert.deepEqual(watched, [position(2)]);
});

test('one frame of events is swallowed, or comes twice; other frames pass', () => {
  const { wire, heard, connect } = wired();
  connect();
  wire.swallow();
  FakeSocket.opened[0].receive({ type: 'heartbeat', cursor: position(0) });
  FakeSocket.opened[0].receive(frame(1, 1));
  wire.duplicate();
  FakeSocket.opened[0].receive(frame(2, 2));
  FakeSocket.opened[0].receive(frame(3, 3));
  assert.deepEqual(heard, [position(0), position(2), position(2), position(3)]);
});

test('a cut closes what is open, of every transport', async () => {
  const { wire, heard, connect } = wired();
  connect();
  const request = wire.platform.fetch('https://example.test/', {});
  wire.cut();
  assert.deepEqual(heard, [1005]);
  await assert.rejects(request, { name: 'AbortError' });
});

test('without a network nothing gets through; its return is told', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { wire, heard, connect } = wired();
  let returns = 0;
  wire.platform.window.addEventListener('online', () => returns++);
  const over = wire.goDown(10_000);
  assert.equal(wire.platform.online(), false);
  connect();
  mock.timers.tick(1);
  assert.deepEqual(heard, [1006]);
  await assert.rejects(wire.platform.fetch('https://example.test/'), TypeError);
  assert.equal(returns, 0);
  mock.timers.tick(9_999);
  await over;
  assert.equal(returns, 1);
  assert.equal(wire.platform.online(), true);
});
