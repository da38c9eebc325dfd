import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenUnavailable } from '../../../src/Delivery.Api/client/token.js';
import { Browser, jwt } from './browser.js';
import { Clock, settled } from './clock.js';
import { begin, live, ready } from './scripted.js';

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

test('a token that was lost with the network, and ended while the device slept, is no second refusal', async () => {
  const { closeWith, clock, script } = await begin();
  await clock.pass(300);
  await closeWith(4401);
  assert.equal(script.socket.protocols[1], 'bearer.token-2');
  await clock.pass(300);
  await closeWith(1006);
  clock.sleep(3_600_000);
  await clock.pass(300);
  await closeWith(4401);
  await clock.pass(300);
  assert.equal(script.socket.protocols[1], 'bearer.token-3');
});

test('a token that ended while the device slept, in the middle of an attempt, is no second refusal', async () => {
  const { closeWith, clock, script } = await begin();
  await clock.pass(300);
  await closeWith(4401);
  clock.sleep(3_600_000);
  await closeWith(4401);
  assert.equal(script.socket.protocols[1], 'bearer.token-3');
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

const tokenFor = (clock, seconds, sub = 'alice') => jwt({ sub, exp: clock.now() / 1_000 + seconds, iat: clock.now() });

async function keepAlive(clock, script, milliseconds) {
  for (let passed = 0; passed < milliseconds; passed += 1_000) {
    await clock.pass(1_000);
    script.socket.receive({ type: 'heartbeat', cursor: null });
  }

  await settled();
}

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
