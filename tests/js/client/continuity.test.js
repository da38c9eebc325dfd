import assert from 'node:assert/strict';
import { test } from 'node:test';
import { distance, take } from '../../../src/Delivery.Api/client/continuity.js';
import { frame, live, position, positions, ready } from './scripted.js';

const cursors = ({ events }) => events.map(event => event.cursor);

test('a frame after the cursor is delivered, and the cursor is its last event', () => {
  const step = take(position(3), frame(4, 6));
  assert.deepEqual(cursors(step), positions(4, 6));
  assert.equal(step.at, position(6));
});

test('of a frame that overlaps only what follows the cursor is delivered', () => {
  assert.deepEqual(cursors(take(position(4), frame(3, 6))), positions(5, 6));
  assert.deepEqual(cursors(take(position(9), frame(3, 6))), []);
  assert.equal(take(position(9), frame(3, 6)).at, position(9));
});

test('an event that comes twice within a frame is delivered once', () => {
  const doubled = frame(4, 6);
  doubled.events.splice(1, 0, doubled.events[1]);
  assert.deepEqual(cursors(take(position(3), doubled)), positions(4, 6));
});

test('a frame that begins further on, lacks an event or is of another epoch is a gap', () => {
  const holed = frame(4, 6);
  holed.events.splice(1, 1);
  const foreign = { type: 'events', events: [{ cursor: 'epoch2_4' }] };
  const late = { ...frame(3, 4), after: position(9) };
  for (const broken of [frame(5, 6), holed, foreign, late]) {
    assert.deepEqual(take(position(3), broken), { at: position(3), gap: true });
  }
});

test('before anything is known the first frame says where it begins, and must hold together', () => {
  for (const open of [null, '0']) {
    assert.deepEqual(cursors(take(open, frame(41, 43))), positions(41, 43));
    assert.equal(take(open, ready(position(40))).at, position(40));
    assert.equal(take(open, { ...frame(41, 43), events: [...frame(41, 41).events, ...frame(43, 43).events] }).gap, true);
  }

  assert.equal(take('0', ready('0')).at, '0');
  assert.equal(take(null, ready(null)).at, null);
});

test('a server that stands further on, or in another epoch, has sent what was lost', () => {
  for (const type of ['live', 'heartbeat', 'ready']) {
    assert.equal(take(position(3), { type, cursor: position(4) }).gap, true);
    assert.equal(take(position(3), { type, cursor: 'epoch2_1' }).gap, true);
    assert.deepEqual(take(position(3), { type, cursor: position(3) }), { at: position(3) });
    assert.deepEqual(take(position(3), { type, cursor: position(2) }), { at: position(3) });
    assert.deepEqual(take(position(3), { type, cursor: null }), { at: position(3) });
  }
});

test('a reset, at connect or later, says where reading goes on', () => {
  const reset = { reason: 'expired', cursor: position(7) };
  assert.deepEqual(take(position(3), ready(position(7), 'reset', { reason: 'expired' })), { at: position(7), reset });
  assert.deepEqual(take(position(3), { type: 'reset', ...reset }), { at: position(7), reset });
  assert.deepEqual(take(null, { type: 'reset' }), { at: '0', reset: { reason: 'epoch', cursor: '0' } });
});

test('on another tab\'s connection a reset is not believed, and an open cursor not placed', () => {
  assert.equal(take(position(9), { type: 'reset', reason: 'expired', cursor: position(7) }, false).gap, true);
  assert.equal(take(position(9), ready('epoch2_0', 'reset'), false).gap, true);
  assert.equal(take('0', frame(4, 6), false).gap, true);
  assert.equal(take(null, live(position(4)), false).gap, true);
  assert.deepEqual(cursors(take(position(3), frame(4, 6), false)), positions(4, 6));
});

test('unknown frames mean nothing', () => {
  assert.deepEqual(take(position(3), { type: 'status', degraded: ['bus'] }), { at: position(3) });
  assert.deepEqual(take(position(3), { type: 'from_the_future', cursor: position(9) }), { at: position(3) });
});

test('a distance is known within an epoch only', () => {
  assert.equal(distance(position(3), position(10)), 7);
  assert.equal(distance(position(0), position(10)), 10);
  assert.equal(distance(position(10), position(3)), -7);
  for (const [from, to] of [['0', position(1)], [null, position(1)], [position(1), null], ['epoch2_1', position(1)]]) {
    assert.equal(distance(from, to), null);
  }
});
