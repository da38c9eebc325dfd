import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyState, fold } from '../../src/Delivery.Api/client/index.js';
import { announcements } from '../../src/Delivery.Api/wwwroot/announcements.js';
import { eventsOf } from './fakes.js';

/** What is heard of these steps, one at a time. */
function hear(...steps) {
  let state = emptyState;
  return eventsOf('r', steps).flatMap(event => {
    const before = state;
    state = fold(state, [event]);
    return announcements(before, state, 't');
  });
}

test('milestones and the answer are read out, streamed pieces are not', () => {
  assert.deepEqual(hear(
    ['run_requested', { input: 'x' }],
    ['agent_started'],
    ['agent_thinking', { text: 'Hm' }],
    ['tool_executing', { toolCallId: 'a', tool: 'search' }],
    ['tool_completed', { toolCallId: 'a', tool: 'search', succeeded: true }],
    ['tool_executing', { toolCallId: 'b', tool: 'clock' }],
    ['tool_completed', { toolCallId: 'b', tool: 'clock', succeeded: false, error: 'stopped' }],
    ['agent_message', { text: 'For', delta: true }],
    ['agent_message', { text: 'Forty-two.' }],
    ['agent_completed'],
  ), ['The agent started.', 'Using search.', 'Using clock.', 'clock failed.', 'The agent is done. Forty-two.']);
});

test('a tool that was interrupted by the end of its run did not fail', () => {
  assert.deepEqual(hear(['agent_started'], ['tool_executing', { toolCallId: 'a', tool: 'search' }], ['agent_cancelled']),
    ['The agent started.', 'Using search.', 'The run was stopped.']);
});

test('what happened during an outage is told in one go, and an old end is not told again', () => {
  const [requested, started, failed, note] = eventsOf('r', [
    ['run_requested', { input: 'x' }], ['agent_started'], ['agent_failed', { reason: 'worker_lost' }], ['progress_note']]);
  const before = fold(emptyState, [requested]);
  const after = fold(before, [started, failed]);
  assert.deepEqual(announcements(before, after, 't'), ['The run failed. The worker that did this run was lost.']);
  assert.deepEqual(announcements(after, fold(after, [note]), 't'), []);
});

test('other threads are not read out', () => {
  const after = fold(emptyState, eventsOf('r', [['agent_started']], { thread: 'other' }));
  assert.deepEqual(announcements(emptyState, after, 't'), []);
});
