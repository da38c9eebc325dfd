import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyHistory, fold, hasEnded, lastMessage } from '../../src/Delivery.Api/wwwroot/runs.js';

/** Events of one run, numbered from 1 and a second apart. */
function eventsOf(run, ...steps) {
  return steps.map(([type, data], index) => ({
    cursor: `epoch1_${index + 1}`, type, data, run, thread: 't', sequence: index + 1,
    time: new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString(),
  }));
}

const foldOne = (...steps) => fold(emptyHistory, eventsOf('r', ...steps)).runs.get('r');
const requested = ['run_requested', { input: 'hello', agent: 'demo' }];
const started = ['agent_started', { agent: 'demo' }];
const piece = text => ['agent_message', { text, delta: true }];
const whole = text => ['agent_message', { text }];

test('a request is shown before any worker took it', () => {
  const run = foldOne(requested);
  assert.equal(run.status, 'queued');
  assert.equal(run.input, 'hello');
  assert.equal(hasEnded(run), false);
});

test('pieces of a message append, and the whole message takes their place', () => {
  const streaming = foldOne(requested, started, piece('Hel'), piece('lo'));
  assert.deepEqual(streaming.steps, [{ kind: 'message', text: 'Hello', state: 'streaming' }]);
  const said = foldOne(requested, started, piece('Hel'), piece('lo'), whole('Hello.'));
  assert.deepEqual(said.steps, [{ kind: 'message', text: 'Hello.', state: 'whole' }]);
});

test('a message after a whole one is a message of its own', () => {
  const run = foldOne(requested, started, whole('One.'), piece('Tw'), whole('Two.'));
  assert.deepEqual(run.steps.map(step => step.text), ['One.', 'Two.']);
});

test('thoughts stream like messages, and neither takes the place of the other', () => {
  const run = foldOne(
    requested, started, ['agent_thinking', { text: 'Hm', delta: true }], piece('Well'),
    ['agent_thinking', { text: 'Hm, yes' }], whole('Well, yes'));
  assert.deepEqual(run.steps.map(step => [step.kind, step.text]), [['thinking', 'Hm, yes'], ['message', 'Well, yes']]);
});

test('a tool call is paired with its end by its id', () => {
  const run = foldOne(
    requested, started,
    ['tool_executing', { toolCallId: 'a', tool: 'search', arguments: { q: 'x' } }],
    ['tool_executing', { toolCallId: 'b', tool: 'clock' }],
    ['tool_completed', { toolCallId: 'a', tool: 'search', succeeded: true, result: [1] }],
    ['tool_completed', { toolCallId: 'b', tool: 'clock', succeeded: false, error: 'stopped' }]);
  assert.deepEqual(run.steps.map(({ id, state, result, error }) => ({ id, state, result, error })), [
    { id: 'a', state: 'succeeded', result: [1], error: null },
    { id: 'b', state: 'failed', result: null, error: 'stopped' },
  ]);
  assert.equal(Date.parse(run.steps[0].endedAt) - Date.parse(run.steps[0].startedAt), 2_000);
});

test('an end of a tool call whose beginning is no longer kept is still shown', () => {
  const [, , end] = eventsOf('r', requested, started,
    ['tool_completed', { toolCallId: 'a', tool: 'search', succeeded: true, result: 1 }]);
  const run = fold(emptyHistory, [end]).runs.get('r');
  assert.equal(run.steps[0].state, 'succeeded');
  assert.equal(run.steps[0].startedAt, null);
  assert.equal(run.incomplete, true);
});

test('every terminal event ends its run and closes what was open', () => {
  const open = [requested, started, ['tool_executing', { toolCallId: 'a', tool: 'clock' }], piece('Hel')];
  const stopped = foldOne(...open, ['agent_cancelled', {}]);
  assert.equal(stopped.status, 'cancelled');
  assert.deepEqual(stopped.steps.map(step => step.state), ['unfinished', 'unfinished']);
  const failed = foldOne(...open, ['agent_failed', { reason: 'worker_lost' }]);
  assert.equal(failed.status, 'failed');
  assert.match(failed.failure, /lost/);
  const completed = foldOne(...open, ['agent_completed', {}]);
  assert.equal(completed.status, 'completed');
  assert.deepEqual(completed.steps.map(step => step.state), ['unfinished', 'whole']);
  assert.ok(hasEnded(stopped) && hasEnded(failed) && hasEnded(completed));
});

test('the result of a run is shown unless its messages said it', () => {
  assert.equal(lastMessage(foldOne(requested, started, ['agent_completed', { result: '42' }])), '42');
  const said = foldOne(requested, started, whole('42'), ['agent_completed', { result: '42' }]);
  assert.equal(said.steps.length, 1);
});

test('another attempt leaves what the first had open and says so', () => {
  const run = foldOne(requested, started, piece('Hel'), started, piece('Hello'), whole('Hello.'));
  assert.equal(run.attempts, 2);
  assert.deepEqual(run.steps, [
    { kind: 'message', text: 'Hel', state: 'unfinished' },
    { kind: 'resumed', attempt: 2 },
    { kind: 'message', text: 'Hello.', state: 'whole' },
  ]);
});

test('an event folded twice counts once', () => {
  const events = eventsOf('r', requested, started, piece('Hel'), piece('lo'));
  const once = fold(emptyHistory, events);
  const twice = fold(fold(once, events), events.slice(2));
  assert.deepEqual(twice, once);
  assert.equal(twice.runs.get('r').count, 4);
});

test('an older event never changes text that came after it', () => {
  const [a, b, first, second] = eventsOf('r', requested, started, piece('Hel'), piece('lo'));
  const run = fold(emptyHistory, [a, b, first, second, first]).runs.get('r');
  assert.equal(run.steps[0].text, 'Hello');
});

test('a missing event is told, not hidden', () => {
  const [a, b, , d] = eventsOf('r', requested, started, piece('Hel'), piece('lo'));
  assert.equal(fold(emptyHistory, [a, b, d]).runs.get('r').incomplete, true);
  assert.equal(foldOne(requested, started).incomplete, false);
});

test('folding in any portions gives the same runs, in the order of their first events', () => {
  const one = eventsOf('one', requested, started, piece('a'), piece('b'), whole('ab'), ['agent_completed', {}]);
  const two = eventsOf('two', requested, started, whole('c'), ['agent_completed', {}]);
  const mixed = [one[0], two[0], one[1], two[1], two[2], one[2], one[3], two[3], one[4], one[5]];
  const all = fold(emptyHistory, mixed);
  for (let size = 1; size < mixed.length; size++) {
    let history = emptyHistory;
    for (let at = 0; at < mixed.length; at += size) {
      history = fold(history, mixed.slice(at, at + size));
    }

    assert.deepEqual(history, all);
  }

  assert.deepEqual([...all.runs.keys()], ['one', 'two']);
});

test('what an event does not touch stays the same object', () => {
  const before = fold(emptyHistory, [...eventsOf('one', requested, started, whole('a')), ...eventsOf('two', requested)]);
  const event = { ...eventsOf('one', requested, started, whole('a'), piece('b'))[3] };
  const after = fold(before, [event]);
  assert.equal(after.runs.get('two'), before.runs.get('two'));
  assert.equal(after.runs.get('one').steps[0], before.runs.get('one').steps[0]);
  assert.equal(before.runs.get('one').steps.length, 1);
  assert.equal(emptyHistory.runs.size, 0);
});

test('an unknown type is kept with its data, whatever its name', () => {
  const run = foldOne(requested, ['progress_note', { percent: 80 }], ['toString', { a: 1 }]);
  assert.deepEqual(run.steps, [
    { kind: 'custom', type: 'progress_note', data: { percent: 80 } },
    { kind: 'custom', type: 'toString', data: { a: 1 } },
  ]);
});

test('after a reset the same events fold anew', () => {
  const events = eventsOf('r', requested, started, whole('a'));
  assert.deepEqual(fold(emptyHistory, events), fold(emptyHistory, events));
  assert.equal(fold(emptyHistory, events).runs.get('r').count, 3);
});
