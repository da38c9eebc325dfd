import { hasEnded, lastMessage } from './runs.js';

/**
 * What a person who listens to the page should hear of a change, in few words: milestones and the answer, not every
 * piece of streamed text.
 * @returns {string[]}
 */
export function announcements(before, after) {
  const said = [];
  for (const [id, run] of after.runs) {
    const known = before.runs.get(id);
    if (known !== run && !(known && hasEnded(known))) {
      said.push(...progress(known, run));
    }
  }

  return said;
}

function progress(known, run) {
  const said = [];
  if (known?.status !== 'running' && run.status === 'running') {
    said.push('The agent started.');
  }

  run.steps.forEach((step, index) => {
    if (step.kind === 'tool' && step.state !== known?.steps[index]?.state) {
      said.push(...describeTool(step, known?.steps[index] === undefined));
    }
  });
  if (hasEnded(run)) {
    said.push(describeEnd(run));
  }

  return said;
}

function describeTool(step, isNew) {
  const said = isNew ? [`Using ${step.tool}.`] : [];
  return step.state === 'failed' ? [...said, `${step.tool} failed.`] : said;
}

function describeEnd(run) {
  const answer = (lastMessage(run) ?? '').slice(0, 500);
  switch (run.status) {
    case 'completed': return `The agent is done. ${answer}`.trim();
    case 'cancelled': return 'The run was stopped.';
    default: return `The run failed. ${run.failure ?? ''}`.trim();
  }
}
