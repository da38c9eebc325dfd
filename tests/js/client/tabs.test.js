import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jwt } from './browser.js';
import { settled } from './clock.js';
import { world } from './world.js';

test('three tabs of a user have one connection, and each sees everything once', async () => {
  const { server, clock, cursors, open } = world();
  server.append(3);
  const tabs = [await open(), await open(), await open()];
  server.append(2);
  await clock.pass(1);
  assert.equal(server.connections, 1);
  tabs.forEach(({ seen }) => assert.deepEqual(seen, cursors(1, 5)));
  assert.deepEqual(tabs.map(({ events }) => events.state.leader), [true, false, false]);
  tabs.forEach(({ events }) => assert.deepEqual([events.state.status, events.state.transport], ['live', 'websocket']));
  assert.equal(tabs[0].count('poll'), 0, 'the leader reads over its connection alone');
  assert.equal(tabs[1].count('poll'), 1, 'who follows reads what it missed once');
});

test('tabs of two users, of other services, and of tokens that tell nothing share nothing', async () => {
  const { server, open } = world();
  await open();
  await open({}, 'bob');
  await open({ url: 'https://example.test/other/' });
  await open({ token: 'opaque' });
  await open({ token: 'opaque' });
  await open({ share: false });
  assert.equal(server.connections, 6);
});

test('a name lets tabs share whose tokens tell nothing, and never two users', async () => {
  const { server, open } = world();
  await open({ token: 'opaque', share: 'mine' });
  await open({ token: 'other', share: 'mine' });
  assert.equal(server.connections, 1);
  await open({ share: 'mine' }, 'alice');
  await open({ share: 'mine' }, 'bob');
  assert.equal(server.connections, 3);
});

test('without Web Locks or BroadcastChannel each tab has a connection of its own', async () => {
  for (const missing of ['locks', 'BroadcastChannel']) {
    const { server, open, browser } = world();
    const make = browser.tab.bind(browser);
    browser.tab = network => Object.assign(make(network), {});
    const original = browser.tab;
    browser.tab = network => {
      const tab = original(network);
      tab.platform[missing] = undefined;
      return tab;
    };
    await open();
    await open();
    assert.equal(server.connections, 2);
  }
});

test('a leader that is closed is replaced at once, and nothing is missed or doubled', async () => {
  const { server, clock, cursors, open } = world();
  const [one, two, three] = [await open(), await open(), await open()];
  server.append(2);
  await clock.pass(1);
  one.events.close();
  server.append(2);
  await clock.pass(1);
  assert.equal(two.events.state.leader, true);
  assert.equal(three.events.state.leader, false);
  assert.equal(server.connections, 1);
  server.append(1);
  await clock.pass(1);
  [two, three].forEach(({ seen }) => assert.deepEqual(seen, cursors(1, 5)));
});

test('a leader that is killed is replaced by the browser', async () => {
  const { server, clock, cursors, open } = world();
  const [one, two] = [await open(), await open()];
  one.tab.kill();
  server.cut(1006, ({ tab }) => tab === one.tab);
  server.append(2);
  await clock.pass(1);
  assert.deepEqual(two.seen, cursors(1, 2));
});

test('a leader that is frozen loses the lock to a visible tab after two heartbeats and 2 s, and follows when it wakes', async () => {
  const { server, clock, cursors, open } = world();
  const [one, two] = [await open(), await open()];
  one.tab.show(false);
  one.tab.freeze();
  server.append(2);
  await clock.pass(31_000);
  assert.deepEqual(two.seen, []);
  await clock.pass(2_000);
  assert.equal(two.events.state.leader, true);
  assert.deepEqual(two.seen, cursors(1, 2));
  one.tab.thaw();
  server.append(1);
  await clock.pass(1_000);
  assert.equal(one.events.state.leader, false);
  assert.equal(server.connections, 1);
  [one, two].forEach(({ seen }) => assert.deepEqual(seen, cursors(1, 3)));
});

test('a hidden tab steals nothing; once looked at it asks, and takes the lead of who does not answer in 2 s', async () => {
  const { server, clock, cursors, open } = world();
  const [one, two] = [await open(), await open()];
  one.tab.freeze();
  two.tab.show(false);
  server.append(1);
  await clock.pass(120_000);
  assert.equal(two.events.state.leader, false);
  two.tab.show(true);
  await clock.pass(2_600);
  assert.equal(two.events.state.leader, true);
  assert.deepEqual(two.seen, cursors(1, 1));
});

test('a leader in the background that answers keeps the lead', async () => {
  const { clock, open } = world();
  const [one, two] = [await open(), await open()];
  one.tab.show(false);
  two.tab.show(true);
  await clock.pass(300_000);
  assert.equal(one.events.state.leader, true);
  assert.equal(two.events.state.leader, false);
});

test('a leader whose handlers do not keep up gives the lead to one whose do', async () => {
  const { server, clock, cursors, open } = world();
  const one = await open({ handler: () => new Promise(() => { }) });
  const two = await open();
  server.append(6_000);
  await clock.pass(1_000);
  assert.equal(two.events.state.leader, true);
  assert.equal(one.events.state.status, 'replaying');
  assert.deepEqual(two.seen, cursors(1, 6_000));
});

test('a page that goes to the back/forward cache gives the lead up and comes back as a follower', async () => {
  const { server, clock, cursors, open, browser } = world();
  const [one, two] = [await open(), await open()];
  one.tab.window.dispatchEvent(new Event('pagehide'));
  server.append(2);
  await clock.pass(1);
  assert.equal(two.events.state.leader, true);
  assert.equal(one.tab.leftovers.channels, 0);
  assert.equal(browser.locks.count, 1);
  one.tab.window.dispatchEvent(new Event('pageshow'));
  await clock.pass(500);
  assert.equal(one.events.state.leader, false);
  assert.deepEqual(one.seen, cursors(1, 2));
});

test('a connection that another browser replaced is not fought for', async () => {
  const { server, clock, open } = world();
  const one = await open({ client: 'c1' });
  server.cut(4409);
  await clock.pass(60_000);
  assert.equal(one.events.state.reason, 'replaced');
  assert.equal(server.attempts.length, 1);
});

test('a leader replaced by the tab that took its lock follows that one', async () => {
  const { server, clock, cursors, open } = world();
  const [one, two] = [await open({ client: 'c1' }), await open({ client: 'c1' })];
  one.tab.freeze();
  await clock.pass(33_000);
  server.cut(4409, ({ tab }) => tab === one.tab);
  await clock.pass(1);
  one.tab.thaw();
  server.append(1);
  await clock.pass(3_000);
  assert.equal(two.events.state.leader, true);
  assert.equal(one.events.state.status, 'live');
  [one, two].forEach(({ seen }) => assert.deepEqual(seen, cursors(1, 1)));
});

test('a tab whose token becomes another user\'s leaves the others', async () => {
  const { server, clock, open } = world();
  const tokens = [jwt({ sub: 'alice', exp: clock.now() / 1_000 + 100 }), jwt({ sub: 'bob', exp: clock.now() / 1_000 + 900 })];
  const one = await open({ token: () => tokens.shift() });
  const two = await open();
  await clock.pass(90_000);
  assert.equal(server.connections, 2);
  assert.deepEqual([one, two].map(({ events }) => events.state.leader), [true, true]);
});

test('nothing is left of a tab that was closed', async () => {
  const { browser, server, clock, open, tabs } = world();
  await open({ client: 'c' });
  await open({ client: 'c' });
  server.append(3);
  await clock.pass(100);
  tabs.forEach(({ events }) => events.close());
  await settled();
  tabs.forEach(({ tab }) => assert.deepEqual(tab.leftovers, { timers: 0, listeners: 0, channels: 0 }));
  assert.deepEqual([browser.locks.count, server.connections], [0, 0]);
});

test('a page that is refused locks has a connection of its own', async () => {
  const { server, clock, browser, open } = world();
  browser.locks.of = () => ({ request: async () => { throw new DOMException('no', 'SecurityError'); } });
  const one = await open();
  server.append(1);
  await clock.pass(1);
  assert.equal(one.seen.length, 1);
  assert.equal(server.connections, 1);
});
