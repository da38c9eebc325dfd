/** @import { AgentEvent, Applier, Projection, Run, Step, TextStep, ToolStep } from './types.js' */

/** @type {Projection} */
export const emptyState = Object.freeze({ runs: new Map(), threads: new Map() });

/**
 * What an event did not touch stays the same object.
 * @param {Projection} state @param {Iterable<AgentEvent>} events @returns {Projection}
 */
export const fold = (state, events) => {
  const runs = new Map(state.runs), threads = new Map(state.threads), touched = new Set();
  for (const event of events) {
    const { run: id, thread } = event;
    if (!runs.has(id)) threads.set(thread, { id: thread, runs: [...threads.get(thread)?.runs ?? [], id] });
    runs.set(id, take(runs.get(id), event));
    touched.add(id);
  }
  for (const id of touched) runs.set(id, sumUp(state.runs.get(id), /** @type {Run} */ (runs.get(id))));
  return { runs, threads };
};

/** @param {Run|undefined} before @param {AgentEvent} event */
export const foldRun = (before, event) => sumUp(before, take(before, event));

/** Once for however many events: a long text costs as much as all its pieces. @param {Run|undefined} before @param {Run} run @returns {Run} */
const sumUp = (before, run) => {
  if (run.steps === before?.steps) return run;
  const texts = (kind = '') => run.steps.flatMap(step => step.kind === kind ? /** @type {TextStep} */ (step).text : []);
  return { ...run, text: texts('message').join('\n\n'), thinking: texts('thinking').at(-1) ?? null };
};

/** @param {Run|undefined} before @param {AgentEvent} event @returns {Run} */
const take = (before, event) => {
  const { run: id, thread, type, sequence, time = null } = event;
  const run = before ?? {
    id, thread, agent: null, input: null, status: 'queued', steps: [], text: '', thinking: null, result: null, error: null,
    reason: null, requestedAt: time, startedAt: null, endedAt: null, attempts: 0, sequence: 0, incomplete: false,
  };
  if (sequence <= run.sequence) return run;
  const apply = Object.hasOwn(appliers, type) ? appliers[type] : custom;
  return { ...run, ...apply(run, event.data ?? {}, event), sequence, incomplete: run.incomplete || sequence > run.sequence + 1 };
};

/** @type {Applier} */
const custom = ({ steps }, data, { type }) => ({ steps: [...steps, { kind: 'custom', type, data }] });

/** @type {Record<string, Applier>} */
const appliers = {
  run_requested: (_, { input = null, agent = null }) => ({ input, agent }),
  agent_started: ({ agent, attempts, startedAt, steps }, data, { time }) => ({
    status: 'running', agent: data.agent ?? agent, attempts: attempts + 1, startedAt: startedAt ?? time,
    steps: attempts ? [...interrupt(steps.filter(step => !isOpen(step))), { kind: 'resumed', attempt: attempts + 1 }] : steps,
  }),
  agent_thinking: ({ steps }, data) => ({ status: 'running', steps: write('thinking', steps, data) }),
  agent_message: ({ steps }, data) => ({ status: 'running', steps: write('message', steps, data) }),
  tool_executing: ({ steps }, data, { time }) => ({ status: 'running', steps: [...steps, toolOf(data, time)] }),
  tool_completed: ({ steps }, data, { time: endedAt }) => {
    const { toolCallId, succeeded, result = null, error = null } = data;
    return {
      status: 'running',
      steps: put(steps, step => step.kind === 'tool' && step.id === toolCallId, begun => ({
        ...begun ?? toolOf(data, null), state: succeeded ? 'succeeded' : 'failed', result, error, endedAt,
      })),
    };
  },
  agent_completed: ({ steps }, { result = null }, { time: endedAt }) => {
    const whole = interrupt(steps), said = /** @type {TextStep=} */ (steps.findLast(step => step.kind === 'message'))?.text;
    if (typeof result === 'string' && result !== said) whole.push({ kind: 'message', text: result, streaming: false });
    return { status: 'completed', result, endedAt, steps: whole };
  },
  agent_failed: ({ steps }, { reason = null, error = null }, { time: endedAt }) =>
    ({ status: 'failed', reason, error, endedAt, steps: interrupt(steps) }),
  agent_cancelled: ({ steps }, { reason = null }, { time: endedAt }) =>
    ({ status: 'cancelled', reason, endedAt, steps: interrupt(steps) }),
};

/** @param {Step} step */
const isOpen = step => 'streaming' in step && step.streaming;

/** @param {readonly Step[]} steps @param {(step: Step) => boolean} isLike @param {(like: any) => Step} make */
const put = (steps, isLike, make) => {
  const at = steps.findLastIndex(isLike);
  return at < 0 ? [...steps, make(undefined)] : steps.with(at, make(steps[at]));
};

/** @param {TextStep['kind']} kind @param {readonly Step[]} steps */
const write = (kind, steps, { text = '', delta: streaming = false }) => put(
  steps, step => step.kind === kind && isOpen(step),
  open => ({ kind, text: streaming && open ? open.text + text : text, streaming }));

/** @param {readonly Step[]} steps @returns {Step[]} */
const interrupt = steps => steps.map(step =>
  isOpen(step) ? { .../** @type {TextStep} */ (step), streaming: false }
    : step.kind === 'tool' && step.state === 'running' ? { ...step, state: 'failed', error: 'interrupted' } : step);

/** @param {any} data @param {string|null} startedAt @returns {ToolStep} */
const toolOf = (data, startedAt) => ({
  kind: 'tool', id: data.toolCallId, name: data.tool, arguments: data.arguments ?? null, state: 'running', result: null,
  error: null, startedAt, endedAt: null,
});
