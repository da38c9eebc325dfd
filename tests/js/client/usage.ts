// What the types promise to those who write against them; checked, never run.
import {
  type AgentEvents, type Projection, type Run, CommandError, TokenUnavailable, connect, emptyState, fold, foldRun,
  indexedDbStore, localStore, memoryStore, sessionStore,
} from 'agent-events';

const events: AgentEvents = connect({
  url: '/',
  token: async () => {
    throw new TokenUnavailable('sign in');
  },
  client: 'c1',
  after: '0',
  store: [memoryStore(), sessionStore('a'), localStore('a'), indexedDbStore('a')][0],
  share: 'name',
  signal: AbortSignal.timeout(1),
});
connect({ token: 'token', store: { load: async () => null, save: async cursor => { cursor.length; } } });

const off: () => void = events.on('agent_message', async event => { event.data.text; });
events.on('reset', ({ reason, cursor }) => [reason.length, cursor.length]);
events.on('state', ({ status, degraded, behind, retryAt, reason, transport, leader }) => {
  const known: 'connecting' | 'replaying' | 'live' | 'degraded' | 'offline' | 'closed' = status;
  return [known, degraded.join(), behind?.toFixed(), retryAt?.toFixed(), reason?.length, transport, leader];
});
events.on('error', ({ error, event }) => [error, event?.cursor]);
let state: Projection = emptyState;
events.on('events', batch => { state = fold(state, batch); });
const run: Run | undefined = state.runs.get('r');
run?.steps.map(step => step.kind === 'tool' ? step.state : step.kind === 'message' ? step.text : '');

for await (const event of events) {
  foldRun(run, event).text.length;
}

const started = await events.startRun('t', 'input', { agent: 'demo', key: 'k' });
await events.cancel(started.run).catch(error => error instanceof CommandError && error.status + (error.detail ?? '').length);
await events.ready;
events.reconnect();
events.close();
off();

// @ts-expect-error a token is needed
connect({});
// @ts-expect-error a state is frozen
events.state.status = 'live';
// @ts-expect-error a run is not changed in place
if (run) run.text = '';

export {};
