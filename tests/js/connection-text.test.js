import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  closingAdvice, connectionMeaning, connectionSaid, connectionText, connectionWay,
} from '../../src/Delivery.Api/wwwroot/connection-text.js';

const state = more => ({
  status: 'live', degraded: [], behind: 0, retryAt: null, reason: null, transport: 'websocket', leader: true, ...more,
});
const text = (more, isOnline = true) => connectionText(state(more), 10_000, isOnline);

test('the pill says how the connection is', () => {
  assert.equal(text({}), 'live');
  assert.equal(text({ status: 'connecting' }), 'connecting');
  assert.equal(text({ status: 'replaying', behind: null }), 'catching up');
  assert.equal(text({ status: 'replaying', behind: 134 }), 'catching up: 134 events');
  assert.equal(text({ status: 'replaying', behind: 1 }), 'catching up: 1 event');
  assert.equal(text({ status: 'degraded', degraded: ['bus'] }), 'degraded: message bus');
  assert.equal(text({ status: 'degraded', degraded: ['bus', 'log'], behind: 12 }), 'degraded: message bus, event log, 12 events behind');
  assert.equal(text({ status: 'degraded', degraded: ['keys'] }), 'degraded: keys');
  assert.equal(text({ status: 'closed', reason: 'replaced' }), 'closed: open elsewhere');
});

test('an outage counts down to the next try', () => {
  assert.equal(text({ status: 'offline', retryAt: 12_600 }), 'offline, retrying in 3 s');
  assert.equal(text({ status: 'offline', retryAt: 12_000 }), 'offline, retrying in 2 s');
  assert.equal(text({ status: 'offline', retryAt: 9_900 }), 'offline, retrying');
  assert.equal(text({ status: 'offline', retryAt: null }), 'offline, retrying');
  assert.equal(text({ status: 'offline', retryAt: 12_600 }, false), 'offline, no network');
});

test('what is announced does not change with figures', () => {
  const said = more => connectionSaid(state(more));
  assert.equal(said({ status: 'offline', retryAt: 1 }), said({ status: 'offline', retryAt: 2 }));
  assert.equal(said({ status: 'replaying', behind: 1 }), said({ status: 'replaying', behind: 2 }));
  assert.equal(said({ status: 'connecting' }), null);
  assert.equal(said({ status: 'degraded', degraded: ['log'] }), 'Degraded: event log.');
});

test('it says what a degraded service means, and which way the events come', () => {
  assert.match(connectionMeaning(state({ status: 'degraded', degraded: ['bus', 'log'] })), /two seconds.*event log/);
  assert.equal(connectionWay(state()), 'Over WebSocket');
  assert.equal(connectionWay(state({ transport: 'sse', leader: false })), 'Over server-sent events, held by another tab of this browser');
  assert.equal(connectionWay(state({ transport: null })), 'Not connected');
});

test('an end says what to do', () => {
  assert.equal(closingAdvice('token', false, 'https://x/').address, 'https://x/#token=YOUR_TOKEN');
  assert.match(closingAdvice('token', true, '').text, /refused/);
  for (const reason of ['replaced', 'refused', 'defect']) {
    assert.ok(closingAdvice(reason, false, '').act);
  }

  assert.equal(closingAdvice(null, false, ''), null);
});
