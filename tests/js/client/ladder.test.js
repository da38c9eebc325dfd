import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ladder } from '../../../src/Delivery.Api/client/ladder.js';

const rungs = ['websocket', 'sse', 'poll'];
const minutes = count => count * 60_000;

test('two failures in a row lead down, one does not', () => {
  const steps = ladder(rungs);
  const path = [];
  for (let i = 0; i < 7; i++) {
    path.push(steps.rung());
    steps.failed();
  }

  assert.deepEqual(path, ['websocket', 'websocket', 'sse', 'sse', 'poll', 'poll', 'websocket']);
});

test('what worked forgets a failure before it', () => {
  const steps = ladder(rungs);
  steps.failed();
  steps.worked('websocket');
  steps.failed();
  assert.equal(steps.rung(), 'websocket');
});

test('a better transport is tried after five minutes, ever more seldom, an hour at most', () => {
  const steps = ladder(rungs);
  assert.ok(Number.isNaN(steps.patience()), 'there is nothing better than the best');
  steps.worked('sse');
  const waits = [];
  for (let i = 0; i < 6; i++) {
    waits.push(steps.patience());
    steps.trialFailed();
  }

  assert.deepEqual(waits, [5, 10, 20, 40, 60, 60].map(minutes));
});

test('from long-polling each better one has its turn', () => {
  const steps = ladder(rungs);
  steps.worked('poll');
  const tried = [];
  for (let i = 0; i < 4; i++) {
    tried.push(steps.better());
    steps.trialFailed();
  }

  assert.deepEqual(tried, ['websocket', 'sse', 'websocket', 'sse']);
});

test('a best one that worked again is tried as soon as the first time when it fails once more', () => {
  const steps = ladder(rungs);
  steps.worked('sse');
  steps.trialFailed();
  steps.worked('websocket');
  steps.worked('sse');
  assert.equal(steps.patience(), minutes(5));
});

test('another network begins at the top, where one failure is then enough', () => {
  const steps = ladder(rungs);
  steps.worked('poll');
  steps.restart();
  assert.equal(steps.rung(), 'websocket');
  steps.failed();
  assert.equal(steps.rung(), 'sse');
});

test('after the network was to blame a better one is tried within seconds, then ever more seldom', () => {
  const steps = ladder(rungs);
  steps.restart();
  steps.failed();
  steps.failed();
  steps.worked('sse');
  const waits = [];
  for (let i = 0; i < 8; i++) {
    waits.push(steps.patience() / 1_000);
    steps.trialFailed();
  }

  assert.deepEqual(waits, [5, 10, 20, 40, 80, 160, 320, 640]);
});
