import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { open } from '../../../src/Delivery.Api/client/client.js';
import { Browser, jwt } from './browser.js';
import { Clock, seeded, settled } from './clock.js';
import { Server } from './server.js';

/** What the application of one tab saw, held to: previous + 1 in an epoch, nothing twice once handled, resets explicit. */
class Application {
  #expected = null;
  /** The last position that was handled, by epoch. */
  #last = new Map();
  failure = null;
  count = 0;

  handled(event) {
    const [epoch, position] = event.cursor.split('_');
    if (this.#expected && event.cursor !== this.#expected) {
      this.failure ??= `${event.cursor} came where ${this.#expected} was expected`;
    }

    if (Number(position) <= this.#last.get(epoch)) {
      this.failure ??= `${event.cursor} came after ${this.#last.get(epoch)}`;
    }

    this.#last.set(epoch, Number(position));
    this.#expected = `${epoch}_${Number(position) + 1}`;
    this.count++;
  }

  reset({ cursor }) {
    const [epoch, position] = cursor.split('_');
    this.#expected = `${epoch}_${Number(position) + 1}`;
  }
}

function openTab(world) {
  const { clock, random, browser, server } = world;
  const tab = browser.tab({ connect: (...given) => server.connect(...given), fetch: (...given) => server.fetch(...given) });
  const application = new Application();
  const store = { kept: null, load: async () => store.kept, save: async cursor => { store.kept = cursor; } };
  const start = random() < 0.5 ? '0' : undefined;
  const events = open({
    url: 'https://example.test/', after: start, store, share: random() < 0.8, client: random() < 0.3 ? `c${random()}` : undefined,
    token: async () => jwt({ sub: 'alice', exp: Math.floor(clock.now() / 1_000) + 40 + Math.floor(random() * 600) }),
  }, tab.platform);
  const isSlow = random() < 0.2, throws = random() < 0.3 ? 0.05 : 0;
  const wait = milliseconds => new Promise(resolve => tab.platform.setTimeout(resolve, milliseconds));
  const id = world.tabs.length;
  process.env.TRACE && events.on('state', state => console.log(clock.now() % 1e7, id, JSON.stringify(state)));
  events.on('error', () => { });
  events.on('reset', reset => application.reset(reset));
  if (random() < 0.5) {
    events.on('*', async event => {
      isSlow && await wait(random() * 20);
      if (world.isFaulty && random() < throws) {
        throw new Error('handler');
      }

      application.handled(event);
    });
  } else {
    (async () => {
      for await (const event of events) {
        isSlow && await wait(random() * 20);
        application.handled(event);
      }
    })().catch(error => { application.ended = error; });
  }

  return { tab, application, events, start, isOpen: true };
}

const faults = { lose: 0.01, double: 0.02, upgrade: 0.15, network: 0.1, stream: 0.3 };

const actions = [
  [10, ({ server, random }) => server.append(1 + Math.floor(random() ** 4 * 120))],
  [1.5, ({ server, random }) => server.cut([1006, 1012, 1013][Math.floor(random() * 3)], () => random() < 0.7)],
  // Not one that is not ready yet: refused twice in a row is the end.
  [0.5, ({ server, clock }) => server.cut(4401, ({ since }) => clock.now() - since > 4_000)],
  [1, ({ server, random }) => server.mute(() => random() < 0.5)],
  [0.3, ({ server }) => server.erase()],
  [0.5, ({ server, random }) => server.trim(Math.floor(random() * server.head))],
  [1.5, world => world.tabs.push(openTab(world))],
  [0.7, world => one(world, tab => { tab.tab.thaw(); tab.isOpen = false; tab.events.close(); })],
  [0.4, world => one(world, tab => kill(world, tab))],
  [1, world => one(world, ({ tab }) => tab.freeze())],
  [1.5, world => world.tabs.forEach(({ tab, isOpen }) => isOpen && world.random() < 0.7 && tab.thaw())],
  [1, world => one(world, ({ tab }) => tab.show(!tab.isVisible))],
  [0.7, world => one(world, ({ tab }) => tab.window.dispatchEvent(new Event('online')))],
  [0.5, world => one(world, ({ tab }) => tab.window.dispatchEvent(new Event(world.random() < 0.5 ? 'pagehide' : 'pageshow')))],
  [0.5, ({ clock, random }) => clock.sleep(random() * 100_000)],
];
const weight = actions.reduce((sum, [share]) => sum + share, 0);

function kill({ server }, opened) {
  opened.isOpen = false;
  opened.tab.kill();
  server.cut(1006, ({ tab }) => tab === opened.tab);
}

function one({ tabs, random }, act) {
  const open = tabs.filter(({ isOpen }) => isOpen);
  open.length > 0 && act(open[Math.floor(random() * open.length)]);
}

function choose(random) {
  let at = random() * weight;
  return actions.find(([share]) => (at -= share) < 0)[1];
}

/** Nothing is broken any more, but for tabs that stay frozen: everyone else catches up. */
async function heal(world) {
  world.isFaulty = false;
  for (const opened of world.tabs.filter(({ isOpen }) => isOpen)) {
    opened.tab.window.dispatchEvent(new Event('pageshow'));
    opened.tab.show(true);
    opened.isAwake = !opened.tab.isFrozen || world.random() < 0.5;
    opened.isAwake && opened.tab.thaw();
  }

  world.server.append(3);
  await world.clock.pass(150_000);
}

async function play(seed) {
  const random = seeded(seed), clock = new Clock();
  const world = { random, clock, browser: new Browser(clock, random), tabs: [], isFaulty: true };
  world.browser.loses = () => world.isFaulty && random() < 0.01;
  world.server = new Server(clock, {
    fault: name => world.isFaulty && random() < faults[name],
    delay: () => random() * (random() < 0.02 && world.isFaulty ? 3_000 : 60),
    limit: 1 + Math.floor(random() ** 2 * 500),
    accepts: token => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).exp * 1_000 > clock.now(),
  });
  world.tabs.push(openTab(world));
  world.tabs.push(openTab(world));
  for (let step = 0; step < 40; step++) {
    const act = choose(random);
    process.env.TRACE && console.log(clock.now() % 1e7, String(act).slice(0, 150));
    act(world);
    await clock.pass(random() ** 2 * 4_000);
  }

  await heal(world);
  for (const [index, { isAwake, application, events }] of world.tabs.entries()) {
    assert.equal(application.failure, null, `tab ${index}: ${application.failure}`);
    if (isAwake) {
      assert.equal(events.state.status, 'live', `tab ${index}: ${JSON.stringify(events.state)}`);
      assert.equal(events.cursor, world.server.cursor(), `tab ${index} stands elsewhere`);
    }
  }

  world.tabs.forEach(({ events, tab, isOpen }) => {
    isOpen && tab.thaw();
    events.close();
  });
  await settled();
  for (const [index, { isOpen, tab }] of world.tabs.entries()) {
    isOpen && assert.deepEqual(tab.leftovers, { timers: 0, listeners: 0, channels: 0 }, `tab ${index} left something`);
  }

  assert.equal(world.browser.locks.count, 0, 'a lock is left');
  assert.equal(world.server.connections, 0, 'a connection is left');
  return world.tabs.reduce((sum, { application }) => sum + application.count, 0);
}

/** Runs apart from the test runner, whose hooks make each promise ten times as dear. */
let events = 0;
for (let seed = workerData.first; seed < workerData.first + workerData.seeds; seed++) {
  try {
    events += await play(seed);
  } catch (error) {
    error.message = `SEED=${seed} SEEDS=1: ${error.message}`;
    throw error;
  }
}

parentPort.postMessage(events);
