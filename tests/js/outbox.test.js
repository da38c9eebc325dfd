import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { emptyState, fold } from '../../src/Delivery.Api/client/index.js';
import { Outbox } from '../../src/Delivery.Api/wwwroot/outbox.js';
import { Held, eventsOf } from './fakes.js';

let server, changes, outbox;

beforeEach(() => {
  let keys = 0;
  server = new Held();
  changes = 0;
  outbox = new Outbox(server.run, () => changes++, () => `key-${++keys}`);
});

const states = thread => outbox.of(thread).map(({ text, state }) => `${text}: ${state}`);
const requested = (run, input, state = emptyState) => fold(state, eventsOf(run, [['run_requested', { input }]]));

test('a request is there at once, and gone when its run is', async () => {
  outbox.send('t', 'hello', 0);
  assert.deepEqual(states('t'), ['hello: sending']);
  assert.deepEqual(states('other'), []);
  assert.equal(changes, 1);
  await server.end({ value: { run: 'r' } });
  assert.deepEqual(states('t'), ['hello: sent']);
  outbox.settle(requested('another', 'hello'));
  assert.deepEqual(states('t'), ['hello: sent'], 'another run that asks the same is not its run');
  outbox.settle(requested('r', 'hello'));
  assert.deepEqual(states('t'), []);
});

test('a run that is there before the answer takes the place of its request', async () => {
  const before = requested('old', 'hello');
  outbox.send('t', 'hello', 1);
  outbox.settle(before);
  assert.deepEqual(states('t'), ['hello: sending'], 'an older run that asked the same is not its run');
  outbox.settle(requested('r', 'hello', before));
  assert.deepEqual(states('t'), []);
  await server.end({ value: { run: 'r' } });
  assert.deepEqual(states('t'), []);
});

test('a request that failed keeps its text, and trying again is the same request', async () => {
  outbox.send('t', 'hello', 0);
  await server.end({ error: new Error('no answer') });
  assert.deepEqual(states('t'), ['hello: failed']);
  assert.equal(outbox.of('t')[0].error, 'no answer');
  outbox.retry('key-1');
  assert.deepEqual(states('t'), ['hello: sending']);
  assert.deepEqual(server.calls, [['t', 'hello', 'key-1'], ['t', 'hello', 'key-1']]);
});

test('the same text sent again is another request', () => {
  outbox.send('t', 'hello', 0);
  outbox.send('t', 'hello', 0);
  assert.deepEqual(server.calls.map(([, , key]) => key), ['key-1', 'key-2']);
});

test('a request can be discarded', async () => {
  outbox.send('t', 'hello', 0);
  await server.end({ error: new Error('no answer') });
  outbox.discard('key-1');
  assert.deepEqual(states('t'), []);
});
