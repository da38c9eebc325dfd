import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcements } from '../../src/Delivery.Api/wwwroot/announcements.js';
import { emptyHistory, fold } from '../../src/Delivery.Api/wwwroot/runs.js';

let sequence = 0;
const next = (history, type, data = {}) =>
  fold(history, [{ run: 'r', thread: 't', sequence: ++sequence, time: null, type, data }]);

test('milestones and the answer are read out, streamed pieces are not', () => {
  const heard = [];
  let history = emptyHistory;
  for (const [type, data] of [
    ['run_requested', { input: 'x' }],
    ['agent_started', {}],
    ['agent_thinking', { text: 'Hm' }],
    ['tool_executing', { toolCallId: 'a', tool: 'search' }],
    ['tool_completed', { toolCallId: 'a', tool: 'search', succeeded: true }],
    ['tool_executing', { toolCallId: 'b', tool: 'clock' }],
    ['tool_completed', { toolCallId: 'b', tool: 'clock', succeeded: false, error: 'stopped' }],
    ['agent_message', { text: 'For', delta: true }],
    ['agent_message', { text: 'Forty-two.' }],
    ['agent_completed', {}],
  ]) {
    const before = history;
    history = next(history, type, data);
    heard.push(...announcements(before, history));
  }

  assert.deepEqual(heard, [
    'The agent started.', 'Using search.', 'Using clock.', 'clock failed.', 'The agent is done. Forty-two.',
  ]);
  assert.deepEqual(announcements(history, history), []);
});

test('what happened during an outage is told in one go, and an old end is not told again', () => {
  const before = next(emptyHistory, 'run_requested', { input: 'x' });
  const after = next(next(before, 'agent_started'), 'agent_failed', { reason: 'worker_lost' });
  assert.deepEqual(announcements(before, after), ['The run failed. The worker that did this run was lost.']);
  assert.deepEqual(announcements(after, next(after, 'progress_note')), []);
});
