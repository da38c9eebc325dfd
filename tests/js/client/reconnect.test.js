import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser } from './browser.js';
import { Clock, seeded, settled } from './clock.js';
import { begin, frame, live, position, positions, ready } from './scripted.js';

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
