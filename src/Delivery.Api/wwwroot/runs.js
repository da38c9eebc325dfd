/**
 * The state of runs as a pure fold of their events. Nothing is changed in place: a run or a step that an event did not
 * touch stays the same object, so the view can compare by identity.
 *
 * @typedef {'queued'|'running'|'completed'|'failed'|'cancelled'} Status
 * @typedef {{kind:'thinking'|'message', text:string, state:'streaming'|'whole'|'unfinished'}} Text
 * @typedef {{kind:'tool', id:string, tool:string, arguments:any, state:'running'|'succeeded'|'failed'|'unfinished',
 *            result:any, error:string|null, startedAt:string|null, endedAt:string|null}} Tool
 * @typedef {{kind:'resumed', attempt:number}} Resumed
 * @typedef {{kind:'custom', type:string, data:any}} Custom
 * @typedef {{id:string, thread:string, input:string|null, agent:string|null, status:Status, attempts:number,
 *            requestedAt:string|null, endedAt:string|null, failure:string|null, sequence:number, count:number,
 *            incomplete:boolean, steps:(Text|Tool|Resumed|Custom)[]}} Run
 */

/** Runs in the order of their first event. */
export const emptyHistory = Object.freeze({ runs: new Map() });

/** The history after these events, in their order. */
export function fold(history, events) {
  const runs = new Map(history.runs);
  for (const event of events) {
    runs.set(event.run, applyEvent(runs.get(event.run) ?? newRun(event), event));
  }
  return { runs };
}

export const hasEnded = run => run.status !== 'queued' && run.status !== 'running';

/** The last text for the person, or null. */
export const lastMessage = run => run.steps.findLast(step => step.kind === 'message')?.text ?? null;

function newRun(event) {
  return {
    id: event.run, thread: event.thread, input: null, agent: null, status: 'queued', attempts: 0,
    requestedAt: event.time ?? null, endedAt: null, failure: null, sequence: 0, count: 0, incomplete: false, steps: [],
  };
}

function applyEvent(run, event) {
  if (event.sequence <= run.sequence) {
    return run;
  }

  const next = {
    ...run,
    sequence: event.sequence,
    count: run.count + 1,
    // Retention removes the oldest events first: a run may be met in its middle.
    incomplete: run.incomplete || event.sequence !== run.sequence + 1,
  };
  const apply = Object.hasOwn(appliers, event.type) ? appliers[event.type] : applyCustom;
  return { ...next, ...apply(next, event.data ?? {}, event) };
}

const appliers = {
  run_requested: (run, data) => ({ input: data.input ?? null, agent: data.agent ?? null }),
  agent_started: (run, data) => ({
    status: 'running',
    agent: data.agent ?? run.agent,
    attempts: run.attempts + 1,
    steps: run.attempts === 0 ? run.steps : [...interrupt(run.steps), { kind: 'resumed', attempt: run.attempts + 1 }],
  }),
  agent_thinking: (run, data) => ({ status: 'running', steps: write('thinking', run.steps, data) }),
  tool_executing: (run, data, event) => ({ status: 'running', steps: [...run.steps, startedTool(data, event)] }),
  tool_completed: (run, data, event) => ({ status: 'running', steps: completeTool(run.steps, data, event) }),
  agent_message: (run, data) => ({ status: 'running', steps: write('message', run.steps, data) }),
  agent_completed: (run, data, event) => ({
    ...end(run, 'completed', event),
    steps: conclude(interrupt(run.steps, 'whole'), data.result),
  }),
  agent_failed: (run, data, event) => ({ ...end(run, 'failed', event), failure: describeFailure(data) }),
  agent_cancelled: (run, data, event) => ({ ...end(run, 'cancelled', event), failure: data.reason ?? null }),
};

function applyCustom(run, data, event) {
  return { steps: [...run.steps, { kind: 'custom', type: event.type, data }] };
}

function end(run, status, event) {
  return { status, endedAt: event.time ?? null, steps: interrupt(run.steps) };
}

/** Pieces collect in the open text of their kind; a text that is no piece is the whole and takes their place. */
function write(kind, steps, data) {
  const open = steps.findLastIndex(step => step.kind === kind && step.state === 'streaming');
  const text = data.text ?? '';
  const step = data.delta
    ? { kind, text: open < 0 ? text : steps[open].text + text, state: 'streaming' }
    : { kind, text, state: 'whole' };
  return open < 0 ? [...steps, step] : steps.with(open, step);
}

/** A final answer is shown unless the agent's messages said it already. */
function conclude(steps, result) {
  const said = steps.findLast(step => step.kind === 'message')?.text;
  return result == null || result === said ? steps : [...steps, { kind: 'message', text: result, state: 'whole' }];
}

function startedTool(data, event) {
  return {
    kind: 'tool', id: data.toolCallId, tool: data.tool, arguments: data.arguments ?? null, state: 'running',
    result: null, error: null, startedAt: event.time ?? null, endedAt: null,
  };
}

function completeTool(steps, data, event) {
  const at = steps.findLastIndex(step => step.kind === 'tool' && step.id === data.toolCallId);
  const ended = {
    ...(at < 0 ? { ...startedTool(data, event), startedAt: null } : steps[at]),
    state: data.succeeded ? 'succeeded' : 'failed',
    result: data.result ?? null,
    error: data.error ?? null,
    endedAt: event.time ?? null,
  };
  return at < 0 ? [...steps, ended] : steps.with(at, ended);
}

/** Nothing goes on after its executor stopped: what was open stays as it was left. */
function interrupt(steps, text = 'unfinished') {
  const left = { running: 'unfinished', streaming: text };
  return steps.map(step => step.state in left ? { ...step, state: left[step.state] } : step);
}

function describeFailure(data) {
  const known = {
    worker_lost: 'The worker that did this run was lost.',
    agent_error: 'The agent failed.',
    unknown_agent: 'No worker knows this agent.',
    timed_out: 'The run took longer than allowed.',
  };
  const reason = Object.hasOwn(known, data.reason) ? known[data.reason] : data.reason;
  return [reason, data.error].filter(Boolean).join(' ') || null;
}
