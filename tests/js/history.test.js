import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyState, fold } from '../../src/Delivery.Api/client/index.js';
import { History } from '../../src/Delivery.Api/wwwroot/history.js';
import { eventsOf } from './fakes.js';

const events = eventsOf('r', Array(1_000).fill(['agent_message', { text: 'x', delta: true }]));

test('a long history is folded in pieces, and the page breathes in between', async () => {
  let now = 0;
  const seen = [];
  const slow = (state, part) => {
    now += 5;
    return fold(state, part);
  };
  const history = new History({ fold: slow, emptyState }, async () => seen.push(history.counts.get('r')), () => now);
  await history.add(events);
  assert.deepEqual(seen, [300, 600, 900]);
  assert.deepEqual(history.projection, fold(emptyState, events));
  assert.equal(history.counts.get('r'), 1_000);
});

test('what is quickly done is done at once', async () => {
  const history = new History({ fold, emptyState }, () => assert.fail('no need to breathe'), () => 0);
  await history.add(events);
  assert.equal(history.counts.get('r'), 1_000);
});

test('an event that came twice is counted twice, so that it would show', async () => {
  const history = new History({ fold, emptyState }, async () => { }, () => 0);
  await history.add(events.slice(0, 2));
  await history.add(events.slice(1, 2));
  assert.equal(history.counts.get('r'), 3);
  assert.equal(history.projection.runs.get('r').steps[0].text, 'xx');
});
