import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyState, fold } from '../../src/Delivery.Api/client/index.js';
import { threadsOf } from '../../src/Delivery.Api/wwwroot/threads.js';
import { eventsOf } from './fakes.js';

const asked = (run, thread, input, minute, ...more) => eventsOf(run, [['run_requested', { input }], ...more], { thread })
  .map(event => ({ ...event, time: `2026-01-01T00:0${minute}:00.000Z` }));

test('threads are named after their first request, and the newest request comes first', () => {
  const state = fold(emptyState, [
    ...asked('1', 'a', 'How are\n  you?', 1, ['agent_started'], ['agent_completed']),
    ...asked('2', 'b', 'What time is it?', 2, ['agent_started']),
    ...asked('3', 'a', 'And now?', 3),
  ]);
  assert.deepEqual(threadsOf(state).map(({ id, title, status, runs }) => [id, title, status, runs]), [
    ['a', 'How are you?', 'queued', 2],
    ['b', 'What time is it?', 'running', 1],
  ]);
});

test('a thread whose beginning is no longer kept has its id for a name', () => {
  assert.equal(threadsOf(fold(emptyState, eventsOf('1', [['agent_started']], { thread: 'a' })))[0].title, 'Thread a');
});

test('progress of a run does not move its thread', () => {
  const before = fold(emptyState, [...asked('1', 'a', 'one', 1), ...asked('2', 'b', 'two', 2)]);
  const [, started] = asked('1', 'a', 'one', 9, ['agent_started']);
  assert.deepEqual(threadsOf(fold(before, [started])).map(({ id }) => id), ['b', 'a']);
});
