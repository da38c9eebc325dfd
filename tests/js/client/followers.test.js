import assert from 'node:assert/strict';
import { test } from 'node:test';
import { world } from './world.js';

test('a follower that misses a message reads it for itself', async () => {
  const { server, clock, cursors, open, browser } = world();
  const [, two] = [await open(), await open()];
  browser.loses = ({ frame }) => frame?.type === 'events';
  server.append(2);
  await clock.pass(1);
  browser.loses = () => false;
  assert.deepEqual(two.seen, []);
  server.append(1);
  await clock.pass(1_000);
  assert.deepEqual(two.seen, cursors(1, 3));
  assert.equal(two.count('poll'), 2);
});

test('the last message that a follower missed is found by the next heartbeat', async () => {
  const { server, clock, cursors, open, browser } = world();
  const [, two] = [await open(), await open()];
  browser.loses = ({ frame }) => frame?.type === 'events';
  server.append(2);
  await clock.pass(16_000);
  assert.deepEqual(two.seen, cursors(1, 2));
});

test('what is broadcast while a follower reads for itself is spliced on', async () => {
  const { server, clock, cursors, open, browser } = world();
  server.append(10);
  await open();
  server.delay = () => 20;
  const two = await open();
  server.append(5);
  await clock.pass(21);
  server.append(5);
  await clock.pass(60);
  assert.deepEqual(two.seen, cursors(1, 20));
  assert.equal(two.count('poll'), 1);
  assert.equal(browser.channels.size, 2);
});

test('a reset of the leader is not that of a tab whose place is still kept', async () => {
  const { server, clock, open } = world();
  server.append(10);
  const one = await open({ after: server.cursor(2) }), two = await open();
  server.erase();
  server.append(2);
  await clock.pass(2_000);
  [one, two].forEach(({ resets, events }) => {
    assert.deepEqual(resets.map(({ reason }) => reason), ['epoch']);
    assert.equal(events.cursor, server.cursor(2));
  });
});

test('a follower that read another history than it was told of reads on once, not for each thing that it was told', async () => {
  const { server, clock, open } = world();
  await open();
  server.delay = () => 100;
  const two = await open();
  server.delay = () => 0;
  for (let count = 0; count < 20; count++) {
    server.append(1);
    await clock.pass(1);
  }

  server.erase();
  server.append(2);
  await clock.pass(2_000);
  assert.equal(two.count('poll'), 2);
  assert.equal(two.events.state.status, 'live');
  assert.deepEqual(two.seen, [server.cursor(1), server.cursor(2)]);
});

test('how the leader is connected is shown by those who follow', async () => {
  const { server, clock, open } = world();
  const [, two] = [await open(), await open()];
  server.fault = name => name === 'upgrade' || name === 'network';
  server.cut(1006);
  await clock.pass(1);
  assert.equal(two.events.state.status, 'offline');
  assert.ok(two.events.state.retryAt > clock.now());
});

test('the last word of a former leader that did not know yet is corrected by the next sign of life', async () => {
  const { server, clock, browser, open } = world();
  const [, follower] = [await open(), await open()];
  const channel = [...browser.channels].find(({ tab }) => tab === follower.tab);
  channel.onmessage({ data: { state: { status: 'offline', degraded: [], silence: 32_000 } } });
  assert.equal(follower.events.state.status, 'offline');
  server.append(1);
  await clock.pass(1);
  assert.equal(follower.events.state.status, 'live');
});

test('a follower that is full of what it was told reads nothing on', async () => {
  const { server, clock, open } = world();
  await open();
  let answer;
  const answered = new Promise(resolve => { answer = resolve; });
  server.network = {
    connect: (...given) => server.connect(...given),
    fetch: async (...given) => {
      const page = await server.fetch(...given);
      await answered;
      return page;
    },
  };
  const two = await open({ handler: () => new Promise(() => { }) });
  server.append(6_000);
  await clock.pass(1);
  server.erase();
  await clock.pass(1);
  answer();
  await clock.pass(5_000);
  assert.equal(two.count('poll'), 1);
});
