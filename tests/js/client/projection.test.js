import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyState, fold, foldRun } from '../../../src/Delivery.Api/client/index.js';

/** Events of one run, numbered from 1 and a second apart. */
const eventsOf = (run, ...steps) => steps.map(([type, data], index) => ({
  cursor: `epoch1_${index + 1}`, type, data, run, thread: 't', sequence: index + 1,
  time: new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString(),
}));

const foldOne = (...steps) => eventsOf('r', ...steps).reduce(foldRun, undefined);
const requested = ['run_requested', { input: 'hello', agent: 'demo' }];
const started = ['agent_started', { agent: 'demo' }];
const piece = text => ['agent_message', { text, delta: true }];
const whole = text => ['agent_message', { text, delta: false }];
const tool = (id, name = 'search') => ['tool_executing', { toolCallId: id, tool: name, arguments: { q: id } }];

test('a request is there before any worker took it', () => {
  const run = foldOne(requested);
  assert.deepEqual([run.id, run.thread, run.status, run.input, run.agent, run.startedAt], ['r', 't', 'queued', 'hello', 'demo', null]);
  assert.equal(foldOne(requested, started).status, 'running');
});

test('pieces of a message append, and the whole message takes their place', () => {
  const streaming = foldOne(requested, started, piece('Hel'), piece('lo'));
  assert.deepEqual(streaming.steps, [{ kind: 'message', text: 'Hello', streaming: true }]);
  assert.equal(streaming.text, 'Hello');
  const said = foldOne(requested, started, piece('Hel'), piece('lo'), whole('Hello.'));
  assert.deepEqual(said.steps, [{ kind: 'message', text: 'Hello.', streaming: false }]);
});

test('a message after a whole one is one of its own, and the text is all of them', () => {
  const run = foldOne(requested, started, whole('One.'), piece('Tw'), whole('Two.'), piece('Thr'));
  assert.deepEqual(run.steps.map(step => step.text), ['One.', 'Two.', 'Thr']);
  assert.equal(run.text, 'One.\n\nTwo.\n\nThr');
});

test('thoughts stream like messages, and neither takes the place of the other', () => {
  const run = foldOne(
    requested, started, ['agent_thinking', { text: 'Hm', delta: true }], piece('Well'),
    ['agent_thinking', { text: 'Hm, yes', delta: false }], whole('Well, yes'));
  assert.deepEqual(run.steps.map(step => [step.kind, step.text]), [['thinking', 'Hm, yes'], ['message', 'Well, yes']]);
  assert.deepEqual([run.thinking, run.text], ['Hm, yes', 'Well, yes']);
});

test('a tool call is paired with its end by its id', () => {
  const run = foldOne(
    requested, started, tool('a'), tool('b', 'clock'),
    ['tool_completed', { toolCallId: 'a', tool: 'search', succeeded: true, result: [1] }],
    ['tool_completed', { toolCallId: 'b', tool: 'clock', succeeded: false, error: 'stopped' }]);
  assert.deepEqual(run.steps.map(({ id, name, state, result, error }) => ({ id, name, state, result, error })), [
    { id: 'a', name: 'search', state: 'succeeded', result: [1], error: null },
    { id: 'b', name: 'clock', state: 'failed', result: null, error: 'stopped' },
  ]);
  assert.deepEqual(run.steps[0].arguments, { q: 'a' });
  assert.equal(Date.parse(run.steps[0].endedAt) - Date.parse(run.steps[0].startedAt), 2_000);
});

test('an end of a tool call whose beginning is no longer kept is still there', () => {
  const [, , end] = eventsOf('r', requested, started, ['tool_completed', { toolCallId: 'a', tool: 'search', succeeded: true, result: 1 }]);
  const run = foldRun(undefined, end);
  assert.deepEqual([run.steps[0].state, run.steps[0].startedAt, run.incomplete], ['succeeded', null, true]);
});

test('every terminal event ends its run, and nothing is under way after it', () => {
  const open = [requested, started, tool('a'), piece('Hel')];
  const cancelled = foldOne(...open, ['agent_cancelled', { reason: 'user' }]);
  const failed = foldOne(...open, ['agent_failed', { reason: 'worker_lost', error: 'gone' }]);
  const completed = foldOne(...open, ['agent_completed', { result: 42 }]);
  assert.deepEqual([cancelled, failed, completed].map(({ status }) => status), ['cancelled', 'failed', 'completed']);
  assert.deepEqual([cancelled.reason, failed.reason, failed.error, completed.result], ['user', 'worker_lost', 'gone', 42]);
  for (const run of [cancelled, failed, completed]) {
    assert.deepEqual([run.steps[0].state, run.steps[0].error, run.steps[1].streaming], ['failed', 'interrupted', false]);
    assert.equal(run.endedAt, '2026-01-01T00:00:04.000Z');
  }
});

test('a final answer is a message unless the last one said it', () => {
  assert.equal(foldOne(requested, started, ['agent_completed', { result: '42' }]).text, '42');
  assert.equal(foldOne(requested, started, whole('42'), ['agent_completed', { result: '42' }]).steps.length, 1);
  assert.equal(foldOne(requested, started, whole('a'), ['agent_completed', {}]).result, null);
});

test('another attempt drops what streamed without a whole one, and says so', () => {
  const run = foldOne(requested, started, whole('One.'), tool('a'), piece('Hel'), started, piece('Hello'), whole('Hello.'));
  assert.equal(run.attempts, 2);
  assert.deepEqual(run.steps.map(({ kind, text, state, attempt }) => text ?? state ?? attempt ?? kind), ['One.', 'failed', 2, 'Hello.']);
  assert.equal(run.text, 'One.\n\nHello.');
  assert.equal(run.startedAt, '2026-01-01T00:00:01.000Z');
});

test('an event folded twice counts once', () => {
  const events = eventsOf('r', requested, started, piece('Hel'), piece('lo'));
  const once = fold(emptyState, events);
  const again = fold(fold(once, events), events.slice(2));
  assert.deepEqual(again, once);
  assert.equal(again.runs.get('r'), once.runs.get('r'));
});

test('a missing event is told, not hidden', () => {
  const [a, b, , d] = eventsOf('r', requested, started, piece('Hel'), piece('lo'));
  assert.equal(fold(emptyState, [a, b, d]).runs.get('r').incomplete, true);
  assert.equal(foldOne(requested, started).incomplete, false);
});

test('folding in any portions gives the same', () => {
  const one = eventsOf('one', requested, started, piece('a'), piece('b'), whole('ab'), ['agent_completed', {}]);
  const two = eventsOf('two', requested, started, whole('c'), ['agent_completed', {}]).map(event => ({ ...event, thread: 'u' }));
  const mixed = [one[0], two[0], one[1], two[1], two[2], one[2], one[3], two[3], one[4], one[5]];
  const all = fold(emptyState, mixed);
  for (let size = 1; size < mixed.length; size++) {
    let state = emptyState;
    for (let at = 0; at < mixed.length; at += size) {
      state = fold(state, mixed.slice(at, at + size));
    }

    assert.deepEqual(state, all);
  }

  assert.deepEqual([...all.runs.keys()], ['one', 'two']);
  assert.deepEqual([...all.threads.values()], [{ id: 't', runs: ['one'] }, { id: 'u', runs: ['two'] }]);
});

test('what an event does not touch stays the same object', () => {
  const before = fold(emptyState, [...eventsOf('one', requested, started, whole('a')), ...eventsOf('two', requested)]);
  const after = fold(before, [eventsOf('one', requested, started, whole('a'), piece('b'))[3]]);
  assert.equal(after.runs.get('two'), before.runs.get('two'));
  assert.equal(after.runs.get('one').steps[0], before.runs.get('one').steps[0]);
  assert.equal(after.threads.get('t'), before.threads.get('t'));
  assert.equal(before.runs.get('one').steps.length, 1);
  assert.equal(emptyState.runs.size, 0);
});

test('an unknown type is kept with its data, whatever its name', () => {
  const run = foldOne(requested, ['progress_note', { percent: 80 }], ['toString', { a: 1 }], ['custom', null]);
  assert.deepEqual(run.steps, [
    { kind: 'custom', type: 'progress_note', data: { percent: 80 } },
    { kind: 'custom', type: 'toString', data: { a: 1 } },
    { kind: 'custom', type: 'custom', data: {} },
  ]);
});

test('10,000 events of history fold in a moment', () => {
  const steps = Array.from({ length: 9_000 }, (_, at) => at % 30 === 29 ? whole('x'.repeat(290)) : piece('0123456789'));
  const events = eventsOf('r', requested, started, ...steps, ['agent_completed', {}]);
  const state = fold(emptyState, events);
  assert.equal(state.runs.get('r').steps.length, 300);
});
