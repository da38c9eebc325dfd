import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenUnavailable } from '../../../src/Delivery.Api/client/token.js';
import { Browser, jwt } from './browser.js';
import { Clock, seeded, settled } from './clock.js';
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

for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4999]) {
  test(`${code} means: reconnect`, async () => {
    const { closeWith, clock, script, receive } = await begin();
    await receive(ready('0', 'live'));
    await closeWith(code);
    await clock.pass(30_000);
    assert.ok(script.sockets.length > 1);
  });
}

for (const [code, reason] of [
  [4403, 'refused'], [4404, 'refused'], [4409, 'replaced'], [1007, 'defect'], [1008, 'defect'], [1009, 'defect'],
]) {
  test(`${code} ends it: ${reason}`, async () => {
    const { closeWith, clock, script, events } = await begin();
    await closeWith(code);
    await clock.pass(3_600_000);
    assert.equal(script.sockets.length, 1);
    assert.equal(events.state.status, 'closed');
    assert.equal(events.state.reason, reason);
    await assert.rejects(events.ready);
  });
}

test('4401 asks for another token at once; refused twice in a row it ends', async () => {
  const { closeWith, clock, script, events } = await begin();
  await clock.pass(300);
  await closeWith(4401);
  assert.deepEqual(script.socket.protocols, ['agent-events.v1', 'bearer.token-2']);
  await clock.pass(300);
  await closeWith(4401);
  await clock.pass(60_000);
  assert.equal(script.sockets.length, 2);
  assert.equal(events.state.reason, 'token');
});

test('reconnecting after refusals asks for another token', async () => {
  const { closeWith, clock, receive, script, events } = await begin();
  await clock.pass(300);
  await closeWith(4401);
  await clock.pass(300);
  await closeWith(4401);
  events.reconnect();
  await clock.pass(300);
  assert.deepEqual(script.socket.protocols, ['agent-events.v1', 'bearer.token-3']);
  await receive(ready('0', 'live'));
  assert.equal(events.state.status, 'live');
});

test('a token that worked in between is no second refusal', async () => {
  const { closeWith, clock, receive, script } = await begin();
  for (let token = 1; token <= 4; token++) {
    assert.equal(script.socket.protocols[1], `bearer.token-${token}`);
    await receive(ready('0', 'live'));
    await clock.pass(300);
    await closeWith(4401);
  }
});

test('a token to ask a person for ends it; reconnect begins anew', async () => {
  let isHere = false;
  const { clock, script, events } = await begin({
    token: () => {
      if (!isHere) {
        throw new TokenUnavailable('sign in');
      }

      return 'token';
    },
  });
  assert.equal(events.state.reason, 'token');
  await clock.pass(60_000);
  assert.equal(script.sockets.length, 0);
  isHere = true;
  events.reconnect();
  await settled();
  assert.equal(script.sockets.length, 1);
  assert.equal(events.state.status, 'connecting');
});

test('a token provider out of reach is asked again, ever more slowly', async () => {
  const asked = [];
  const time = new Clock();
  const { clock } = await begin({
    token: () => {
      asked.push(time.now());
      throw new Error('unreachable');
    },
  }, { clock: time });
  await clock.pass(30_000);
  const waits = asked.slice(1).map((at, index) => at - asked[index]);
  assert.deepEqual(waits.slice(0, 6), [250, 500, 1_000, 2_000, 4_000, 4_000]);
});

test('an unusable token is a refused one', async () => {
  const { clock, events } = await begin({ token: 'not a subprotocol' }, { tab: throwingTab() });
  await clock.pass(1_000);
  assert.equal(events.state.reason, 'token');
});

function throwingTab() {
  return new Browser(new Clock()).tab({ connect: () => { throw new SyntaxError('subprotocol'); }, fetch: () => new Promise(() => { }) });
}

test('attempts are spread from nothing to 8 s, and their number in an hour is bounded', async () => {
  const clock = new Clock();
  const attempts = [];
  const network = {
    connect: () => {
      const socket = { close() { } };
      attempts.push(clock.now());
      clock.setTimeout(() => socket.onclose?.({ code: 1006 }), 1);
      return socket;
    },
    fetch: () => { attempts.push(clock.now()); return Promise.reject(new TypeError('refused')); },
  };
  await begin({}, { tab: new Browser(clock, seeded(7)).tab(network) });
  await clock.pass(3_600_000);
  assert.ok(attempts.length < 1_200, `${attempts.length} attempts`);
  const waits = attempts.slice(1).map((at, index) => at - attempts[index]);
  assert.ok(Math.min(...waits) >= 250, 'two attempts begin 250 ms apart');
  assert.ok(Math.max(...waits) <= 8_001);
  const late = waits.slice(20);
  assert.ok(late.some(wait => wait < 1_500) && late.some(wait => wait > 6_500), 'jitter is full');
});

test('a server that lets in, says live and closes at once is not stormed', async () => {
  const { clock, script, receive, closeWith } = await begin();
  for (let i = 0; i < 300; i++) {
    await receive(ready('0', 'live'));
    await closeWith(1006);
    await clock.pass(1_000);
  }

  assert.ok(script.sockets.length < 110, `${script.sockets.length} attempts in 300 s`);
});

test('success is forgotten by nothing but failures: after a live connection waiting begins small', async () => {
  const { clock, script, receive, closeWith, events } = await begin();
  for (let i = 0; i < 6; i++) {
    await closeWith(1012);
    await clock.pass(10_000);
  }

  await receive(ready('0', 'live'));
  await clock.pass(6_000);
  await closeWith(1012);
  assert.equal(events.state.retryAt - clock.now(), 250);
  await clock.pass(250);
  assert.equal(script.sockets.length, 8);
});

test('overload is given up to 30 s, which waking does not cut short', async () => {
  const { clock, script, receive, closeWith, events, tab } = await begin();
  await receive(ready('0', 'live'));
  for (let i = 0; i < 8; i++) {
    await closeWith(1013);
    await clock.pass(15_000);
  }

  await closeWith(1013);
  assert.equal(events.state.retryAt - clock.now(), 15_000);
  const before = script.sockets.length;
  tab.show(true);
  await clock.pass(14_000);
  assert.equal(script.sockets.length, before);
  await clock.pass(1_000);
  assert.equal(script.sockets.length, before + 1);
});

test('waking again and again makes no more than an attempt each 250 ms', async () => {
  const { clock, script, tab } = await begin();
  for (let i = 0; i < 100; i++) {
    script.socket.closeWith(1006);
    tab.show(true);
    tab.window.dispatchEvent(new Event('online'));
    tab.window.dispatchEvent(new Event('pageshow'));
    await clock.pass(10);
  }

  assert.ok(script.sockets.length + script.requests.length <= 5, `${script.sockets.length} in a second`);
});

test('while an attempt is under way waking begins no other', async () => {
  const { clock, script, tab } = await begin();
  await clock.pass(1_000);
  tab.show(true);
  await settled();
  assert.equal(script.sockets.length, 1);
});

test('silence for two heartbeats and 2 s is a dead connection', async () => {
  const { clock, script, receive, events } = await begin();
  await receive(ready('0', 'live', { heartbeat: 10 }));
  await clock.pass(21_000);
  await receive({ type: 'heartbeat', cursor: null });
  await clock.pass(21_900);
  assert.equal(script.socket.isClosed, false);
  await clock.pass(200);
  assert.equal(script.sockets[0].isClosed, true);
  assert.equal(events.state.status, 'offline');
});

test('a handshake without an answer is given up after 10 s', async () => {
  const { clock, script } = await begin();
  await clock.pass(9_900);
  assert.equal(script.socket.isClosed, false);
  await clock.pass(400);
  assert.equal(script.sockets[0].isClosed, true);
  assert.equal(script.sockets.length, 2);
});

test('after sleep a socket that was silent too long by the wall clock is replaced at once, a fresh one is not', async () => {
  const { clock, script, receive, tab } = await begin();
  await receive(ready('0', 'live'));
  clock.sleep(20_000);
  tab.show(true);
  await settled();
  assert.equal(script.sockets.length, 1);
  clock.sleep(60_000);
  tab.show(true);
  await settled();
  assert.equal(script.sockets[0].isClosed, true);
  assert.equal(script.sockets.length, 2);
});

test('a network that came back connects anew at once, whatever was being waited for', async () => {
  const { clock, script, receive, closeWith, tab } = await begin();
  await receive(ready('0', 'live'));
  await clock.pass(1_000);
  tab.window.dispatchEvent(new Event('online'));
  await settled();
  assert.equal(script.sockets.length, 2);
  for (let i = 0; i < 6; i++) {
    await closeWith(1012);
    await clock.pass(1_000);
  }

  const before = script.sockets.length;
  tab.window.dispatchEvent(new Event('online'));
  await clock.pass(250);
  assert.equal(script.sockets.length, before + 1);
});

test('a page that goes to the back/forward cache closes its socket and goes on when it is shown again', async () => {
  const { script, receive, tab, seen, clock } = await begin();
  await receive(ready('0', 'live'), frame(1, 2));
  tab.window.dispatchEvent(new Event('pagehide'));
  assert.equal(script.socket.isClosed, true);
  await clock.pass(60_000);
  tab.window.dispatchEvent(new Event('online'));
  await settled();
  assert.equal(script.sockets.length, 1);
  tab.window.dispatchEvent(new Event('pageshow'));
  await settled();
  assert.equal(script.socket.after, position(2));
  await receive(ready(position(2), 'live'), frame(3, 3));
  assert.deepEqual(seen, positions(1, 3));
});

test('a clock that is set back delays no attempt by more than it would have waited', async () => {
  const { clock, script, closeWith } = await begin();
  clock.time -= 3_600_000;
  await closeWith(1006);
  await clock.pass(500);
  assert.equal(script.sockets.length, 2);
});

const tokenFor = (clock, seconds, sub = 'alice') => jwt({ sub, exp: clock.now() / 1_000 + seconds, iat: clock.now() });

test('before a token ends the next one is sent in-band', async () => {
  const clock = new Clock();
  const tokens = [tokenFor(clock, 600), tokenFor(clock, 1_200)];
  const { script, receive } = await begin({ token: () => tokens.shift() }, { clock });
  await receive(ready('0', 'live'));
  const [next] = tokens;
  await keepAlive(clock, script, 541_000);
  assert.deepEqual(script.socket.sent, [{ type: 'auth', token: next }]);
  assert.equal(script.sockets.length, 1);
});

test('a provider that fails in advance is asked again five seconds later, and the connection stays', async () => {
  const clock = new Clock();
  let asked = 0;
  const first = tokenFor(clock, 100), second = tokenFor(clock, 900);
  const { script, receive } = await begin({
    token: () => {
      if (++asked === 2) {
        throw new Error('away');
      }

      return asked === 1 ? first : second;
    },
  }, { clock });
  await receive(ready('0', 'live'));
  await keepAlive(clock, script, 98_000);
  assert.equal(asked, 3);
  assert.deepEqual(script.socket.sent, [{ type: 'auth', token: second }]);
});

test('a token of someone else is not sent in-band: the connection begins anew', async () => {
  const clock = new Clock();
  const tokens = [tokenFor(clock, 600), tokenFor(clock, 1_200, 'bob')];
  const { script, receive } = await begin({ token: () => tokens.shift() }, { clock });
  await receive(ready('0', 'live'));
  await keepAlive(clock, script, 541_000);
  assert.deepEqual(script.sockets[0].sent, []);
  assert.equal(script.sockets.length, 2);
});

async function keepAlive(clock, script, milliseconds) {
  for (let passed = 0; passed < milliseconds; passed += 1_000) {
    await clock.pass(1_000);
    script.socket.receive({ type: 'heartbeat', cursor: null });
  }

  await settled();
}
