import { count } from './format.js';

const dependencies = { bus: 'message bus', log: 'event log' };
const effects = {
  bus: 'New events may come up to two seconds later.',
  log: 'What you missed comes when the event log is back.',
};
const closings = { token: 'token needed', replaced: 'open elsewhere', refused: 'refused', defect: 'page too old' };
const transports = { websocket: 'WebSocket', sse: 'server-sent events', poll: 'long-polling' };
const plainly = {
  connecting: 'Connecting to the service.',
  replaying: 'Reading what happened before.',
  live: 'Events appear as they happen.',
  offline: 'The connection is lost. What you miss is read when it is back.',
  closed: 'Nothing more arrives here.',
};

const names = degraded => degraded.map(name => dependencies[name] ?? name).join(', ');

/** How the connection is, in the words of the pill. */
export function connectionText({ status, degraded, behind, retryAt, reason }, now, isOnline) {
  switch (status) {
    case 'live': return 'live';
    case 'replaying': return behind ? `catching up: ${count(behind, 'event')}` : 'catching up';
    case 'degraded': return `degraded: ${names(degraded)}${behind ? `, ${count(behind, 'event')} behind` : ''}`;
    case 'offline': return isOnline ? `offline, ${countdown(retryAt, now)}` : 'offline, no network';
    case 'closed': return `closed: ${closings[reason] ?? 'ended'}`;
    default: return 'connecting';
  }
}

function countdown(retryAt, now) {
  const seconds = Math.ceil((retryAt - now) / 1_000);
  return seconds > 0 ? `retrying in ${seconds} s` : 'retrying';
}

/** What that means for the reader. */
export const connectionMeaning = ({ status, degraded }) => status === 'degraded'
  ? degraded.map(name => effects[name] ?? `${name} does not answer.`).join(' ') : plainly[status];

/** How the events come to this tab. */
export const connectionWay = ({ transport, leader }) => transport === null ? 'Not connected'
  : `Over ${transports[transport]}${leader ? '' : ', held by another tab of this browser'}`;

/** What a listener should hear of it: changes, not figures that go up and down. */
export const connectionSaid = ({ status, degraded, reason }) => ({
  live: 'Live.',
  replaying: 'Catching up.',
  degraded: `Degraded: ${names(degraded)}.`,
  offline: 'Connection lost, trying again.',
  closed: `Connection closed: ${closings[reason] ?? 'ended'}.`,
})[status] ?? null;

/** Why it is closed and what to do: a text, and whether a token, a reload or another try helps. */
export function closingAdvice(reason, wasGiven, address) {
  switch (reason) {
    case 'token': return {
      text: `${wasGiven ? 'The token was refused: it has expired, or is not for this server.'
        : 'This server needs a token to know who you are, and hands out none itself.'} Open this page with one in its address:`,
      address: `${address}#token=YOUR_TOKEN`,
    };
    case 'replaced': return { text: 'This stream was opened in another place and goes on there.', act: 'Read it here' };
    case 'refused': return { text: 'The server does not let this user read. Ask whoever runs it.', act: 'Try again' };
    case 'defect': return { text: 'The server does not understand this page; it may be older than the server.', act: 'Reload' };
    default: return null;
  }
}
