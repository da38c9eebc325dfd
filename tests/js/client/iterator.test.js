import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settled } from './clock.js';
import { begin, frame, position, positions, ready } from './scripted.js';

test('a loop that is left in the middle of a batch makes nobody see the batch twice', async () => {
  const { events, receive } = await begin({}, { listens: false });
  const batches = [], seen = [];
  events.on('events', batch => { batches.push(batch.map(({ cursor }) => cursor)); });
  const loop = (async () => {
    for await (const { cursor } of events) {
      seen.push(cursor);
      if (seen.length === 2) break;
    }
  })();
  await receive(ready('0'), frame(1, 4));
  await loop;
  await settled();
  assert.deepEqual(batches, [positions(1, 4)]);
  assert.equal(events.cursor, position(4));
});

test('who listens to batches later gets what nobody was done with', async () => {
  const { events, receive } = await begin({}, { listens: false });
  const off = events.on('events', () => { });
  const loop = (async () => {
    for await (const { cursor } of events) {
      if (cursor === position(2)) break;
    }
    off();
  })();
  await receive(ready('0'), frame(1, 4));
  off();
  await loop;
  await settled();
  const batches = [];
  events.on('events', batch => { batches.push(batch.map(({ cursor }) => cursor)); });
  await settled();
  assert.deepEqual(batches, [positions(2, 4)]);
});

test('an iterator gives each event once; it counts as handled when the next is asked for', async () => {
  const { events, receive } = await begin({}, { listens: false });
  const iterator = events[Symbol.asyncIterator]();
  const first = iterator.next();
  await receive(ready('0'), frame(1, 3));
  assert.equal((await first).value.cursor, position(1));
  await settled();
  assert.equal(events.cursor, '0');
  assert.equal((await iterator.next()).value.cursor, position(2));
  assert.equal(events.cursor, position(1));
});

test('break, return and throw leave the event in hand to the next loop', async () => {
  const { events, receive } = await begin({}, { listens: false });
  await receive(ready('0'), frame(1, 4));
  const seen = [];
  for await (const event of events) {
    seen.push(event.cursor);
    if (seen.length === 2) {
      break;
    }
  }

  assert.equal(events.cursor, position(1));
  await assert.rejects(async () => {
    for await (const event of events) {
      seen.push(event.cursor);
      throw new Error('body');
    }
  }, /body/);
  for await (const event of events) {
    seen.push(event.cursor);
    if (event.cursor === position(4)) {
      break;
    }
  }

  assert.deepEqual(seen, [1, 2, 2, 2, 3, 4].map(position));
});

test('two iterators each see every event', async () => {
  const { events, receive } = await begin({}, { listens: false });
  const seen = [];
  const read = async name => {
    for await (const event of events) {
      seen.push([name, event.cursor]);
    }
  };
  const both = [read('a'), read('b')];
  await receive(ready('0'), frame(1, 2));
  events.close();
  await Promise.all(both);
  assert.deepEqual(seen.filter(([name]) => name === 'a').map(([, cursor]) => cursor), positions(1, 2));
  assert.deepEqual(seen.filter(([name]) => name === 'b').map(([, cursor]) => cursor), positions(1, 2));
});

test('a loop ends when the events are closed, with an error when they were closed by the service', async () => {
  const one = await begin({}, { listens: false });
  const loop = (async () => { for await (const event of one.events) { assert.fail(event.cursor); } })();
  one.events.close();
  await loop;
  const two = await begin({}, { listens: false });
  const seen = [];
  const broken = (async () => { for await (const event of two.events) { seen.push(event.cursor); } })();
  await two.receive(ready('0'), frame(1, 2));
  two.script.socket.closeWith(4403);
  await assert.rejects(broken, /refused/);
  assert.deepEqual(seen, positions(1, 2), 'what had come is handled first');
});
