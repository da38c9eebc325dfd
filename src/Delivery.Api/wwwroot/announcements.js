import { hasEnded } from './history.js';
import { describeFailure } from './failures.js';

/**
 * What a person who listens to the page should hear of a change in the thread that is open, in few words: milestones and
 * the answer, not every piece of streamed text.
 * @returns {string[]}
 */
export function announcements(before, after, thread) {
  const said = [];
  for (const id of after.threads.get(thread)?.runs ?? []) {
    const known = before.runs.get(id);
    const run = after.runs.get(id);
    if (known !== run && !(known && hasEnded(known))) {
      said.push(...progress(known, run));
    }
  }

  return said;
}

function progress(known, run) {
  const said = known?.status !== 'running' && run.status === 'running' ? ['The agent started.'] : [];
  run.steps.forEach((step, index) => {
    if (step.kind === 'tool' && step.state !== known?.steps[index]?.state) {
      said.push(...describeTool(step, known?.steps[index] === undefined));
    }
  });
  return hasEnded(run) ? [...said, describeEnd(run)] : said;
}

function describeTool(step, isNew) {
  const said = isNew ? [`Using ${step.name}.`] : [];
  return step.state === 'failed' && step.endedAt !== null ? [...said, `${step.name} failed.`] : said;
}

function describeEnd(run) {
  switch (run.status) {
    case 'completed': return `The agent is done. ${answerOf(run).slice(0, 500)}`.trim();
    case 'cancelled': return 'The run was stopped.';
    default: return `The run failed. ${describeFailure(run)}`.trim();
  }
}

const answerOf = run => run.steps.findLast(step => step.kind === 'message')?.text ?? '';
