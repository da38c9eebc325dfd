/** @import { AgentEvent } from './types.js' */

/**
 * Runs as a pure fold of their events. Nothing is changed in place: what an event did not touch stays the same object.
 *
 * @typedef {{kind: 'thinking'|'message', text: string, streaming: boolean}} Text
 * @typedef {{kind: 'tool', id: string, name: string, arguments: any, state: 'running'|'succeeded'|'failed', result: any,
 *   error: string|null, startedAt: string|null, endedAt: string|null}} Tool `error` 'interrupted': its worker was gone
 * @typedef {{kind: 'resumed', attempt: number}} Resumed another worker went on
 * @typedef {{kind: 'custom', type: string, data: any}} Custom
 * @typedef {Text|Tool|Resumed|Custom} Step
 *
 * @typedef {{id: string, thread: string, agent: string|null, input: string|null,
 *   status: 'queued'|'running'|'completed'|'failed'|'cancelled', steps: readonly Step[], text: string,
 *   thinking: string|null, result: any, error: string|null, reason: string|null, requestedAt: string|null,
 *   startedAt: string|null, endedAt: string|null, attempts: number, sequence: number, incomplete: boolean}} Run
 *   `text`: its messages so far; `incomplete`: its first events are no longer kept
 *
 * @typedef {{id: string, runs: readonly string[]}} Thread runs in the order of their first events
 * @typedef {{runs: ReadonlyMap<string, Run>, threads: ReadonlyMap<string, Thread>}} Projection
 */

/** @type {Projection} */
export const emptyState = Object.freeze({ runs: new Map(), threads: new Map() });

/**
 * The state after these events, in their order.
 * @param {Projection} state
 * @param {Iterable<AgentEvent>} events
 * @returns {Projection}
 */
export function fold(state, events) {
  const runs = new Map(state.runs);
  const threads = new Map(state.threads);
  for (const event of events) {
    const before = runs.get(event.run);
    const run = foldRun(before, event);
    if (!before) {
      const thread = threads.get(run.thread);
      threads.set(run.thread, { id: run.thread, runs: [...thread?.runs ?? [], run.id] });
    }

    runs.set(run.id, run);
  }

  return { runs, threads };
}

/**
 * @param {Run|undefined} run
 * @param {AgentEvent} event
 * @returns {Run}
 */
export function foldRun(run, event) {
  const before = run ?? emptyRun(event);
  if (event.sequence <= before.sequence) {
    return before;
  }

  const data = event.data ?? {};
  const apply = Object.hasOwn(appliers, event.type) ? appliers[event.type] : appliers.custom;
  const next = {
    ...before,
    ...apply(before, data, event),
    sequence: event.sequence,
    incomplete: before.incomplete || event.sequence !== before.sequence + 1,
  };
  if (next.steps !== before.steps) {
    const said = (/** @type {string} */ kind) => next.steps.flatMap(step => step.kind === kind && 'text' in step ? [step.text] : []);
    next.text = said('message').join('\n\n');
    next.thinking = said('thinking').at(-1) ?? null;
  }

  return next;
}

/** @param {AgentEvent} event @returns {Run} */
const emptyRun = ({ run, thread, time }) => ({
  id: run, thread, agent: null, input: null, status: 'queued', steps: [], text: '', thinking: null, result: null, error: null,
  reason: null, requestedAt: time ?? null, startedAt: null, endedAt: null, attempts: 0, sequence: 0, incomplete: false,
});

/** @type {Record<string, (run: Run, data: any, event: AgentEvent) => Partial<Run>>} */
const appliers = {
  run_requested: (_, { input, agent }) => ({ input: input ?? null, agent: agent ?? null }),
  agent_started: (run, { agent }, { time }) => ({
    status: 'running',
    agent: agent ?? run.agent,
    attempts: run.attempts + 1,
    startedAt: run.startedAt ?? time,
    steps: run.attempts === 0 ? run.steps
      : [...interrupt(run.steps.filter(step => !('streaming' in step && step.streaming))), { kind: 'resumed', attempt: run.attempts + 1 }],
  }),
  agent_thinking: (run, data) => ({ status: 'running', steps: write('thinking', run.steps, data) }),
  agent_message: (run, data) => ({ status: 'running', steps: write('message', run.steps, data) }),
  tool_executing: (run, data, { time }) => ({ status: 'running', steps: [...run.steps, toolOf(data, time)] }),
  tool_completed: (run, data, { time }) => ({ status: 'running', steps: complete(run.steps, data, time) }),
  agent_completed: (run, { result }, { time }) => ({
    status: 'completed', result: result ?? null, endedAt: time, steps: conclude(interrupt(run.steps), result),
  }),
  agent_failed: (run, { reason, error }, { time }) =>
    ({ status: 'failed', reason: reason ?? null, error: error ?? null, endedAt: time, steps: interrupt(run.steps) }),
  agent_cancelled: (run, { reason }, { time }) =>
    ({ status: 'cancelled', reason: reason ?? null, endedAt: time, steps: interrupt(run.steps) }),
  custom: (run, data, { type }) => ({ steps: [...run.steps, { kind: 'custom', type, data }] }),
};

/**
 * Pieces are appended to the open text of their kind; a whole text takes their place (PROTOCOL.md, section 4).
 * @param {'thinking'|'message'} kind
 * @param {readonly Step[]} steps
 * @param {{text?: string, delta?: boolean}} data
 * @returns {Step[]}
 */
function write(kind, steps, { text = '', delta = false }) {
  const at = steps.findLastIndex(step => step.kind === kind && step.streaming);
  const open = /** @type {Text|undefined} */ (steps[at]);
  const step = { kind, text: delta && open ? open.text + text : text, streaming: delta };
  return open ? steps.with(at, step) : [...steps, step];
}

/** @param {readonly Step[]} steps what was under way when its worker stopped @returns {Step[]} */
const interrupt = steps => steps.map(step =>
  step.kind === 'tool' && step.state === 'running' ? { ...step, state: 'failed', error: 'interrupted' }
    : 'streaming' in step && step.streaming ? { ...step, streaming: false } : step);

/** A final answer is a message too, unless the last message said it. @param {Step[]} steps @param {any} result */
function conclude(steps, result) {
  const last = steps.findLast(step => step.kind === 'message');
  return typeof result !== 'string' || (last && 'text' in last && last.text === result) ? steps
    : [...steps, /** @type {Step} */ ({ kind: 'message', text: result, streaming: false })];
}

/** @param {any} data @param {string|null} startedAt @returns {Tool} */
const toolOf = (data, startedAt) => ({
  kind: 'tool', id: data.toolCallId, name: data.tool, arguments: data.arguments ?? null, state: 'running', result: null,
  error: null, startedAt, endedAt: null,
});

/** @param {readonly Step[]} steps @param {any} data @param {string} endedAt @returns {Step[]} */
function complete(steps, data, endedAt) {
  const at = steps.findLastIndex(step => step.kind === 'tool' && step.id === data.toolCallId);
  const ended = /** @type {Tool} */ ({
    ...(at < 0 ? toolOf(data, null) : steps[at]),
    state: data.succeeded ? 'succeeded' : 'failed', result: data.result ?? null, error: data.error ?? null, endedAt,
  });
  return at < 0 ? [...steps, ended] : steps.with(at, ended);
}
