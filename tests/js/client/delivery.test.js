import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settled } from './clock.js';
import { begin, frame, live, position, positions, ready } from './scripted.js';

const gate = () => {
  let open;
  const promise = new Promise(resolve => { open = resolve; });
  return { promise, open };
};

test('the cursor moves when every handler of an event has returned', async () => {
  const { events, receive } = await begin({}, { listens: false });
  const first = gate(), second = gate();
  events.on('note', () => first.promise);
  events.on('*', () => second.promise);
  await receive(ready('0'), frame(1, 1));
  first.open();
  await settled();
  assert.equal(events.cursor, '0');
  second.open();
  await settled();
  assert.equal(events.cursor, position(1));
});

test('events come one after the other, however long a handler takes', async () => {
  const { events, receive } = await begin({}, { listens: false });
  const doors = [], seen = [];
  events.on('*', event => {
    seen.push(event.cursor);
    doors.push(gate());
    return doors.at(-1).promise;
  });
  await receive(ready('0'), frame(1, 3));
  assert.deepEqual(seen, positions(1, 1));
  doors[0].open();
  await settled();
  assert.deepEqual(seen, positions(1, 2));
});

test('a handler that throws gets the same event again, alone, and then goes on', async () => {
  const { events, receive, clock, errors } = await begin({}, { listens: false });
  const calm = [], hasty = [];
  let failures = 3;
  events.on('*', event => { calm.push(event.cursor); });
  events.on('*', async event => {
    hasty.push(event.cursor);
    if (event.cursor === position(2) && failures-- > 0) {
      throw new Error('broken');
    }
  });
  await receive(ready('0'), frame(1, 3));
  assert.equal(events.cursor, position(1));
  await clock.pass(10_000);
  assert.deepEqual(calm, positions(1, 3));
  assert.deepEqual(hasty, [1, 2, 2, 2, 2, 3].map(position));
  assert.equal(errors.length, 3);
  assert.equal(errors[0].error.message, 'broken');
  assert.equal(errors[0].event.cursor, position(2));
  assert.equal(events.cursor, position(3));
});

test('retries of a handler wait longer each time, at random', async () => {
  const { events, receive, clock } = await begin({}, { listens: false });
  const calls = [];
  events.on('*', () => {
    calls.push(clock.now());
    throw new Error('always');
  });
  await receive(ready('0'), frame(1, 1));
  await clock.pass(20_000);
  assert.deepEqual(calls.slice(1, 6).map((at, index) => at - calls[index]), [250, 500, 1_000, 2_000, 4_000]);
});

test('a handler of a type sees that type alone, and types that are reserved names are seen through * only', async () => {
  const { events, receive } = await begin({}, { listens: false });
  const notes = [], batches = [], resets = [], all = [];
  events.on('note', event => { notes.push(event.cursor); });
  events.on('events', batch => { batches.push(batch.length); });
  events.on('reset', reset => { resets.push(reset); });
  events.on('*', event => { all.push(event.cursor); });
  const mixed = frame(1, 4);
  ['note', 'events', 'reset', 'state'].forEach((type, index) => { mixed.events[index].type = type; });
  await receive(ready('0'), mixed);
  assert.deepEqual(notes, positions(1, 1));
  assert.deepEqual(all, positions(1, 4));
  assert.deepEqual([batches, resets], [[4], []]);
});

test('batches are contiguous, a thousand at most, and end at a reset', async () => {
  const { events, receive } = await begin({}, { listens: false });
  const batches = [];
  events.on('reset', () => { batches.push('reset'); });
  await receive(ready('0'), frame(1, 700), frame(701, 1_200), { type: 'reset', reason: 'expired', cursor: position(0) }, frame(1, 2));
  events.on('events', batch => { batches.push([batch[0].cursor, batch.length]); });
  await settled();
  assert.deepEqual(batches, [[position(1), 1_000], [position(1_001), 200], 'reset', [position(1), 2]]);
  assert.equal(events.cursor, position(2));
});

test('a batch that throws is given again before anything behind it', async () => {
  const { events, receive, clock } = await begin({}, { listens: false });
  const sizes = [];
  events.on('events', batch => {
    sizes.push(batch.length);
    if (sizes.length === 1) {
      throw new Error('once');
    }
  });
  await receive(ready('0'), frame(1, 3));
  assert.equal(events.cursor, '0');
  await clock.pass(1_000);
  assert.deepEqual(sizes, [3, 3]);
  assert.equal(events.cursor, position(3));
});

test('while nobody listens events wait', async () => {
  const { events, receive } = await begin({}, { listens: false });
  await receive(ready('0'), frame(1, 3));
  assert.equal(events.cursor, '0');
  const seen = [];
  const off = events.on('*', event => { seen.push(event.cursor); });
  await settled();
  assert.deepEqual(seen, positions(1, 3));
  off();
  await receive(frame(4, 5));
  assert.equal(events.cursor, position(3));
});

test('a handler may leave in the middle: what it returned from counts', async () => {
  const { events, receive } = await begin({}, { listens: false });
  const seen = [];
  const off = events.on('*', event => {
    seen.push(event.cursor);
    event.cursor === position(2) && off();
  });
  await receive(ready('0'), frame(1, 4));
  assert.equal(events.cursor, position(2));
  events.on('*', event => { seen.push(event.cursor); });
  await settled();
  assert.deepEqual(seen, positions(1, 4));
});

test('a slow handler bounds what waits: reading stops at 5,000 events and goes on from the last one queued', async () => {
  const { events, receive, script, clock } = await begin({}, { listens: false });
  const door = gate();
  const seen = [];
  events.on('events', async batch => {
    await door.promise;
    seen.push(...batch.map(event => event.cursor));
  });
  await receive(ready('0', 'replaying', { head: position(9_000) }));
  for (let from = 1; from <= 8_001; from += 1_000) {
    await receive(frame(from, from + 999));
  }

  assert.equal(script.socket.isClosed, true, 'the socket is let go');
  assert.equal(events.state.status, 'replaying');
  assert.equal(script.sockets.length, 1);
  door.open();
  await clock.pass(250);
  assert.equal(script.sockets.length, 2);
  assert.equal(script.socket.after, position(6_000));
  await receive(ready(position(6_000)), frame(6_001, 6_500));
  assert.deepEqual(seen, positions(1, 6_500));
});

test('8 MB that wait are too much as well', async () => {
  const { events, receive, script, clock } = await begin({}, { listens: false });
  await receive(ready('0'));
  for (let from = 1; from <= 10; from++) {
    await receive(frame(from, from, { data: 'x'.repeat(1024 * 1024) }));
  }

  assert.equal(script.socket.isClosed, true);
  events.on('*', () => { });
  await clock.pass(250);
  assert.equal(script.sockets.length, 2);
  assert.equal(script.socket.after, position(8));
});

test('a page may breathe between handlers that take long together', async () => {
  const { events, receive, clock } = await begin({}, { listens: false });
  const seen = [];
  events.on('*', event => {
    clock.time += 30;
    seen.push(event.cursor);
  });
  await receive(ready('0'), frame(1, 6));
  assert.deepEqual(seen, positions(1, 2));
  await clock.pass(0);
  assert.deepEqual(seen, positions(1, 4));
});

test('a page may breathe between batches that take long together', async () => {
  const { events, receive, clock } = await begin({}, { listens: false });
  const sizes = [];
  await receive(ready('0'), frame(1, 3_000));
  events.on('events', batch => {
    clock.time += 30;
    sizes.push(batch.length);
  });
  await settled();
  assert.deepEqual(sizes, [1_000, 1_000]);
  await clock.pass(0);
  assert.deepEqual(sizes, [1_000, 1_000, 1_000]);
});

test('a reset that nobody listens for is an error, not silence', async () => {
  const { deaf, receive, errors } = await begin();
  deaf();
  await receive(ready('0'), { type: 'reset', reason: 'expired', cursor: position(5) });
  assert.deepEqual(errors.map(({ error, event }) => [error.message, event]), [['The stream was reset: expired', null]]);
});

test('a reset handler is waited for, and called again when it throws', async () => {
  const { events, receive, clock, seen } = await begin();
  let calls = 0;
  events.on('reset', async () => {
    if (++calls === 1) {
      throw new Error('once');
    }
  });
  await receive({ type: 'reset', reason: 'expired', cursor: position(7) }, frame(8, 8), live(position(8)));
  assert.deepEqual(seen, []);
  await clock.pass(1_000);
  assert.equal(calls, 2);
  assert.deepEqual(seen, positions(8, 8));
});

test('what fails or takes long after the events were closed leaves no timer', async () => {
  for (const outcome of [() => { }, () => { throw new Error('late'); }]) {
    const { events, receive, clock, tab } = await begin({}, { listens: false });
    const door = gate();
    events.on('*', async () => {
      await door.promise;
      clock.time += 100;
      outcome();
    });
    await receive(ready('0'), frame(1, 2));
    events.close();
    door.open();
    await settled();
    assert.deepEqual(tab.leftovers, { timers: 0, listeners: 0, channels: 0 });
  }
});
