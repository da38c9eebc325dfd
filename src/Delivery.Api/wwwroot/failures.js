const reasons = {
  worker_lost: 'The worker that did this run was lost.',
  agent_error: 'The agent failed.',
  unknown_agent: 'No worker knows this agent.',
  timed_out: 'The run took longer than allowed.',
};

/** Why a run failed or was stopped, for people; '' where it does not say (PROTOCOL.md, section 4). */
export function describeFailure({ reason, error }) {
  const known = Object.hasOwn(reasons, reason ?? '') ? reasons[reason] : reason;
  return [known, error].filter(Boolean).join(' ');
}
