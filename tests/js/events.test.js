import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { TokenNeeded } from '../../src/Delivery.Api/wwwroot/api.js';
import { EventConnection } from '../../src/Delivery.Api/wwwroot/events.js';
import { afterClose, continuation } from '../../src/Delivery.Api/wwwroot/protocol.js';
import { FakeSession, FakeSocket, frame, position, ready } from './fakes.js';

let seen, resets, states, session, connection;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  FakeSocket.opened = [];
  seen = [];
  resets = [];
  states = [];
  session = new FakeSession();
  connection = new EventConnection({
    url: 'https://example.test/v1/events',
    session,
    onEvents: events => seen.push(...events.map(event => event.cursor)),
    onReset: reason => { resets.push(reason); seen = []; },
    onState: state => states.push(state),
    WebSocket: FakeSocket,
    random: () => 0.5,
  });
});

const settled = async () => { for (let i = 0; i < 10; i++) await null; };
const state = () => states.at(-1);
const positions = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => position(from + index));

async function pass(milliseconds) {
  mock.timers.tick(milliseconds);
  await settled();
}

async function connect() {
  connection.start();
  await settled();
}

test('the first connection reads from the oldest kept event, with the token as a subprotocol', async () => {
  await connect();
  assert.equal(FakeSocket.last.url.href, 'wss://example.test/v1/events?after=0');
  assert.deepEqual(FakeSocket.last.protocols, ['agent-events.v1', 'bearer.token-1']);
  assert.equal(state().phase, 'connecting');
  FakeSocket.last.receive(ready(position(0)));
  assert.equal(state().phase, 'catching-up');
  FakeSocket.last.receive(frame(1, 3));
  FakeSocket.last.receive({ type: 'live', cursor: position(3) });
  assert.equal(state().phase, 'live');
  assert.deepEqual(seen, positions(1, 3));
});

test('a lost connection goes on after the last event seen', async () => {
  await connect();
  FakeSocket.last.receive(ready(position(0)));
  FakeSocket.last.receive(frame(1, 3));
  FakeSocket.last.closeWith(1006);
  assert.equal(state().phase, 'offline');
  await pass(250);
  assert.equal(FakeSocket.opened.length, 2);
  assert.equal(FakeSocket.last.after, position(3));
  FakeSocket.last.receive(ready(position(3), 'live'));
  FakeSocket.last.receive(frame(4, 5));
  assert.deepEqual(seen, positions(1, 5));
  assert.equal(state().phase, 'live');
});

test('a frame that leaves a gap is dropped and read again', async () => {
  await connect();
  FakeSocket.last.receive(ready(position(0)));
  FakeSocket.last.receive(frame(1, 3));
  const broken = FakeSocket.last;
  broken.receive(frame(5, 6));
  assert.deepEqual(seen, positions(1, 3));
  assert.equal(broken.isClosed, true);
  broken.receive(frame(4, 6));
  assert.deepEqual(seen, positions(1, 3), 'a socket that was let go is not listened to');
  await pass(250);
  assert.equal(FakeSocket.last.after, position(3));
});

test('of a frame that overlaps only the new events are taken', async () => {
  await connect();
  FakeSocket.last.receive(ready(position(0)));
  FakeSocket.last.receive(frame(1, 3));
  FakeSocket.last.receive(frame(2, 5));
  assert.deepEqual(seen, positions(1, 5));
});

test('a heartbeat that stands elsewhere uncovers lost frames', async () => {
  await connect();
  FakeSocket.last.receive(ready(position(0)));
  FakeSocket.last.receive(frame(1, 3));
  FakeSocket.last.receive({ type: 'heartbeat', cursor: position(3) });
  assert.equal(FakeSocket.last.isClosed, false);
  FakeSocket.last.receive({ type: 'heartbeat', cursor: position(4) });
  assert.equal(FakeSocket.last.isClosed, true);
  await pass(250);
  assert.equal(FakeSocket.last.after, position(3));
});

test('a reset at connect and a reset frame both discard what was there', async () => {
  await connect();
  FakeSocket.last.receive(ready(position(0)));
  FakeSocket.last.receive(frame(1, 3));
  FakeSocket.last.closeWith(1012);
  await pass(250);
  FakeSocket.last.receive(ready('epoch2_0', 'reset', { reason: 'epoch' }));
  assert.deepEqual(resets, ['epoch']);
  FakeSocket.last.receive({ type: 'events', after: 'epoch2_0', events: [{ cursor: 'epoch2_1' }], cursor: 'epoch2_1' });
  assert.deepEqual(seen, ['epoch2_1']);
  FakeSocket.last.receive({ type: 'live' });
  assert.equal(state().phase, 'live');
  FakeSocket.last.receive({ type: 'reset', reason: 'expired', cursor: 'epoch2_7' });
  assert.deepEqual(resets, ['epoch', 'expired']);
  assert.equal(state().phase, 'catching-up');
  FakeSocket.last.receive({ type: 'events', after: 'epoch2_7', events: [{ cursor: 'epoch2_8' }], cursor: 'epoch2_8' });
  assert.deepEqual(seen, ['epoch2_8']);
});

test('a degraded server is shown, and that it healed', async () => {
  await connect();
  FakeSocket.last.receive(ready(null, 'replaying', { head: null, degraded: ['bus', 'log'] }));
  assert.deepEqual(state().degraded, ['bus', 'log']);
  FakeSocket.last.receive({ type: 'status', degraded: [] });
  assert.deepEqual(state().degraded, []);
  FakeSocket.last.receive(frame(1, 2));
  assert.deepEqual(seen, positions(1, 2));
});

test('4401 asks for a new token at once, and with patience when that is refused too', async () => {
  await connect();
  FakeSocket.last.closeWith(4401);
  await settled();
  assert.deepEqual(FakeSocket.last.protocols, ['agent-events.v1', 'bearer.token-2']);
  FakeSocket.last.closeWith(4401);
  await settled();
  assert.equal(FakeSocket.opened.length, 2);
  await pass(250);
  assert.deepEqual(FakeSocket.last.protocols, ['agent-events.v1', 'bearer.token-3']);
});

for (const [code, reason] of [[4403, 'refused'], [4404, 'refused'], [4409, 'replaced'], [1007, 'defect']]) {
  test(`${code} ends it: ${reason}`, async () => {
    await connect();
    FakeSocket.last.closeWith(code);
    await pass(60_000);
    assert.equal(FakeSocket.opened.length, 1);
    assert.deepEqual(state(), { phase: 'stopped', degraded: [], reason });
  });
}

test('without a token to be had it stops and says so', async () => {
  session.refusal = new TokenNeeded('no');
  await connect();
  await pass(60_000);
  assert.equal(FakeSocket.opened.length, 0);
  assert.equal(state().reason, 'token');
});

test('a server out of reach is tried again, ever more slowly, for ever', async () => {
  session.refusal = new Error('unreachable');
  await connect();
  const waits = [];
  for (let tries = 0; tries < 8; tries++) {
    let waited = 0;
    const token = session.token;
    let asked = false;
    session.token = () => { asked = true; return token.call(session); };
    while (!asked && waited < 60_000) {
      await pass(50);
      waited += 50;
    }

    session.token = token;
    waits.push(waited);
  }

  assert.deepEqual(waits, [250, 500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000]);
});

test('silence for longer than two heartbeats is a dead connection', async () => {
  await connect();
  FakeSocket.last.receive(ready(position(0), 'live'));
  await pass(31_000);
  FakeSocket.last.receive({ type: 'heartbeat', cursor: null });
  await pass(31_000);
  assert.equal(FakeSocket.opened.length, 1);
  await pass(2_000);
  assert.equal(state().phase, 'offline');
  await pass(250);
  assert.equal(FakeSocket.opened.length, 2);
});

test('a handshake that does not answer is given up', async () => {
  await connect();
  await pass(10_000);
  assert.equal(FakeSocket.opened[0].isClosed, true);
  await pass(250);
  assert.equal(FakeSocket.opened.length, 2);
});

test('a change of the network connects anew at once', async () => {
  await connect();
  FakeSocket.last.receive(ready(position(0), 'live'));
  connection.networkChanged();
  await settled();
  assert.equal(FakeSocket.opened[0].isClosed, true);
  assert.equal(FakeSocket.opened.length, 2);
});

test('waking up leaves a fresh connection alone and replaces one that slept', async () => {
  await connect();
  FakeSocket.last.receive(ready(position(0), 'live'));
  connection.wake();
  await settled();
  assert.equal(FakeSocket.opened.length, 1);
  mock.timers.setTime(Date.now() + 60_000);
  assert.equal(FakeSocket.opened[0].isClosed, false, 'timers stand still while a device sleeps');
  connection.wake();
  await settled();
  assert.equal(FakeSocket.opened[0].isClosed, true);
  assert.equal(FakeSocket.opened.length, 2);
});

test('after stop nothing connects', async () => {
  await connect();
  connection.stop();
  connection.wake();
  connection.networkChanged();
  await pass(60_000);
  assert.equal(FakeSocket.opened.length, 1);
  assert.equal(state().phase, 'stopped');
});

test('a frame continues a cursor when it begins after it, holds it, or there is none yet', () => {
  assert.equal(continuation(position(3), frame(4, 5)).length, 2);
  assert.equal(continuation(position(4), frame(4, 5)).length, 1);
  assert.equal(continuation(position(5), frame(4, 5)).length, 0);
  assert.equal(continuation(position(2), frame(4, 5)), null);
  assert.equal(continuation('0', frame(4, 5)).length, 2);
});

test('every close code but those of PROTOCOL.md means reconnect', () => {
  assert.deepEqual([1000, 1001, 1005, 1006, 1011, 1012, 1013].map(afterClose), Array(7).fill('retry'));
  assert.deepEqual([4401, 4403, 4404, 4409, 1007, 1008, 1009].map(afterClose),
    ['token', 'refused', 'refused', 'replaced', 'defect', 'defect', 'defect']);
});
