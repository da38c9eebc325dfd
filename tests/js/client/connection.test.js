import assert from 'node:assert/strict';
import { test } from 'node:test';
import { begin, frame, live, position, positions, ready } from './scripted.js';

test('the first connection is a WebSocket from the given cursor, with the token as a subprotocol', async () => {
  const { script, events } = await begin({ client: 'c1' });
  assert.equal(script.socket.url.href, 'wss://example.test/base/v1/events?after=0&client=c1');
  assert.deepEqual(script.socket.protocols, ['agent-events.v1', 'bearer.token-1']);
  assert.equal(events.state.status, 'connecting');
});

test('without a cursor and a store it reads from now on', async () => {
  const { script, events, receive, seen } = await begin({ after: undefined });
  assert.equal(script.socket.after, null);
  await receive(ready(position(40), 'live'));
  assert.equal(events.cursor, position(40));
  await receive(frame(41, 42));
  assert.deepEqual(seen, positions(41, 42));
});

test('it replays, then it is live, and events are handled in order', async () => {
  const { receive, states, seen, events } = await begin();
  await receive(ready('0'), frame(1, 3), live(position(3)), frame(4, 4));
  assert.deepEqual(seen, positions(1, 4));
  assert.deepEqual([...new Set(states.map(({ status }) => status))], ['replaying', 'live']);
  assert.deepEqual(events.state, {
    status: 'live', degraded: [], behind: 0, retryAt: null, reason: null, transport: 'websocket', leader: true,
  });
  assert.ok(Object.isFrozen(events.state));
});

test('a lost connection goes on after the last event that was received', async () => {
  const { receive, closeWith, clock, script, events, seen } = await begin();
  await receive(ready('0'), frame(1, 3));
  await closeWith(1006);
  assert.equal(events.state.status, 'offline');
  assert.equal(events.state.retryAt, clock.now() + 250);
  await clock.pass(250);
  assert.equal(script.sockets.length, 2);
  assert.equal(script.socket.after, position(3));
  await receive(ready(position(3), 'live'), frame(4, 5));
  assert.deepEqual(seen, positions(1, 5));
  assert.equal(events.state.status, 'live');
});

test('a frame that leaves a gap is not delivered and read again; the socket is not listened to any more', async () => {
  const { receive, clock, script, seen } = await begin();
  await receive(ready('0'), frame(1, 3));
  const broken = script.socket;
  await receive(frame(5, 6));
  assert.equal(broken.isClosed, true);
  broken.receive(frame(4, 6));
  await clock.pass(250);
  assert.deepEqual(seen, positions(1, 3));
  assert.equal(script.socket.after, position(3));
});

test('a heartbeat that stands further on uncovers lost frames', async () => {
  const { receive, script } = await begin();
  await receive(ready('0'), frame(1, 3), { type: 'heartbeat', cursor: position(3) });
  assert.equal(script.socket.isClosed, false);
  await receive({ type: 'heartbeat', cursor: position(4) });
  assert.equal(script.socket.isClosed, true);
});

test('resets are told in order with the events around them', async () => {
  const { receive, events, seen } = await begin({}, { listens: false });
  events.on('*', event => { seen.push(event.cursor); });
  events.on('reset', ({ reason, cursor }) => { seen.push(`${reason} ${cursor}`); });
  await receive(
    ready('epoch2_0', 'reset', { reason: 'epoch' }), { type: 'events', after: 'epoch2_0', events: [{ cursor: 'epoch2_1' }] },
    { type: 'reset', reason: 'expired', cursor: 'epoch2_7' }, { type: 'events', events: [{ cursor: 'epoch2_8' }] });
  assert.deepEqual(seen, ['epoch epoch2_0', 'epoch2_1', 'expired epoch2_7', 'epoch2_8']);
  assert.equal(events.cursor, 'epoch2_8');
});

test('what the service lacks is shown, and that it healed', async () => {
  const { receive, events } = await begin();
  await receive(ready(null, 'replaying', { head: null, degraded: ['log'] }));
  assert.equal(events.state.status, 'degraded');
  assert.deepEqual(events.state.degraded, ['log']);
  assert.equal(events.state.behind, null);
  await receive({ type: 'status', degraded: [] });
  assert.equal(events.state.status, 'replaying');
});

test('how much is behind is told while it replays', async () => {
  const { receive, events } = await begin({ after: position(2) }, { listens: false });
  await receive(ready(position(2)), frame(3, 6));
  assert.equal(events.state.behind, 7);
  events.on('*', () => { });
  await receive(live(position(6)));
  assert.equal(events.state.behind, 0);
});
