import assert from 'node:assert/strict';
import { test } from 'node:test';
import { framesOf } from '../../../src/Delivery.Api/client/transports/poll.js';
import { eventStream } from '../../../src/Delivery.Api/client/transports/sse.js';
import { settled } from './clock.js';
import { begin, eventsOf, position, positions } from './scripted.js';

const read = (pieces, decoder = new TextDecoder()) => {
  const messages = [], retries = [];
  const feed = eventStream((name, data) => messages.push([name, data]), milliseconds => retries.push(milliseconds));
  pieces.forEach(piece => feed(typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true })));
  return { messages, retries };
};

const stream = '\uFEFF: hello\nretry: 1500\n\nid: 1\nevent: ready\ndata: {"a":1}\n\ndata: one\ndata:two\ndata:  three €𝄞\n\nevent\ndata\n\nretry: soon\nunknown: x\ndata';

for (const [name, end] of [['LF', '\n'], ['CRLF', '\r\n'], ['CR', '\r']]) {
  test(`an event stream with ${name} reads the same whole and byte by byte, BOM and UTF-8 split anywhere`, () => {
    const bytes = new TextEncoder().encode(stream.replaceAll('\n', end));
    const expected = { messages: [['ready', '{"a":1}'], ['message', 'one\ntwo\n three €𝄞'], ['message', '']], retries: [1_500] };
    assert.deepEqual(read([bytes]), expected);
    assert.deepEqual(read(Array.from(bytes, byte => new Uint8Array([byte]))), expected);
    for (let size = 2; size < 9; size++) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.slice(at * size, at * size + size));
      assert.deepEqual(read(pieces), expected);
    }
  });
}

test('a message that is not ended by a blank line is not given', () => {
  assert.deepEqual(read(['data: cut off\n']).messages, []);
});

test('line ends may be mixed, and a field may have any name', () => {
  assert.deepEqual(read(['data: a\r\ndata: b\rdata: c\n\r\ndata-x: d\n\n']).messages, [['message', 'a\nb\nc']]);
});

test('the first JSON answer is ready, events and where it stands', () => {
  const page = { after: position(0), cursor: position(2), head: position(9), resume: 'replaying', events: eventsOf(1, 2), degraded: ['bus'] };
  const [ready, events, place] = framesOf(page, true);
  assert.equal(ready.type, 'ready');
  assert.equal(ready.cursor, position(0));
  assert.deepEqual(ready.degraded, ['bus']);
  assert.deepEqual([events.type, events.after, events.events.length], ['events', position(0), 2]);
  assert.deepEqual([place.type, place.cursor], ['heartbeat', position(2)]);
  assert.equal(framesOf({ ...page, resume: 'live' }, false)[2].type, 'live');
});

test('a reset of a JSON answer is that of the ready frame at first and a reset frame later', () => {
  const page = { after: position(5), cursor: position(6), head: position(6), resume: 'reset', reason: 'expired', events: eventsOf(6, 6), degraded: [] };
  assert.deepEqual(framesOf(page, true).slice(0, 1).map(({ type, resume, reason, cursor }) => [type, resume, reason, cursor]), [['ready', 'reset', 'expired', position(5)]]);
  assert.deepEqual(framesOf(page, false).slice(0, 1).map(({ type, reason, cursor }) => [type, reason, cursor]), [['reset', 'expired', position(5)]]);
});

/** A client whose upgrades fail, on the second transport. */
async function onSse(options, more) {
  const run = await begin(options, more);
  await run.closeWith(1006);
  await run.clock.pass(250);
  await run.closeWith(1006);
  await run.clock.pass(500);
  return run;
}

const message = (name, frame) => `event: ${name}\ndata: ${JSON.stringify(frame)}\n\n`;
const data = events => events.map(event => `id: ${event.cursor}\ndata: ${JSON.stringify(event)}\n\n`).join('');
const ready = (cursor, resume = 'replaying') => ({ type: 'ready', cursor, head: position(9), resume, degraded: [], heartbeat: 15 });

test('two upgrades in a row that never were ready lead to server-sent events, with the token in a header', async () => {
  const { script, seen, events } = await onSse();
  assert.equal(script.sockets.length, 2);
  assert.equal(script.request.url.href, 'https://example.test/base/v1/events?after=0&wait=0');
  assert.equal(script.request.headers.Accept, 'text/event-stream');
  assert.equal(script.request.headers.Authorization, 'Bearer token-1');
  const answer = script.request.stream();
  await settled();
  answer.push(message('ready', ready('0')) + data(eventsOf(1, 2)));
  answer.push(data(eventsOf(3, 3)) + message('live', { type: 'live', cursor: position(3) }));
  await settled();
  assert.deepEqual(seen, positions(1, 3));
  assert.deepEqual([events.state.status, events.state.transport], ['live', 'sse']);
});

test('offline a failed upgrade says nothing of the transport', async () => {
  const run = await begin();
  run.tab.isOnline = false;
  for (let i = 0; i < 4; i++) {
    await run.closeWith(1006);
    await run.clock.pass(8_000);
  }

  assert.equal(run.script.requests.length, 0);
});

test('a service that answers with a close code of its own has been reached by the transport', async () => {
  const run = await begin();
  for (let i = 0; i < 4; i++) {
    await run.closeWith(1012);
    await run.clock.pass(8_000);
  }

  assert.equal(run.script.requests.length, 0);
});

test('an event stream that ends is opened anew from the cursor, not before its retry time', async () => {
  const { script, clock, seen } = await onSse();
  const answer = script.request.stream();
  await settled();
  answer.push(`retry: 3000\n\n${message('ready', ready('0'))}${data(eventsOf(1, 2))}`);
  await settled();
  answer.end();
  await settled();
  await clock.pass(2_900);
  assert.equal(script.requests.length, 1);
  await clock.pass(200);
  assert.equal(script.request.url.searchParams.get('after'), position(2));
  assert.deepEqual(seen, positions(1, 2));
});

test('two failures of server-sent events lead to long-polling, which goes on from the same cursor', async () => {
  const { script, clock, seen, events } = await onSse();
  for (let i = 0; i < 2; i++) {
    script.request.answer(502, {});
    await clock.pass(8_000);
  }

  assert.equal(script.request.headers.Accept, 'application/json');
  const page = (from, to, resume) => ({ after: position(from - 1), events: eventsOf(from, to), cursor: position(to), head: position(to), resume, degraded: [] });
  script.request.answer(200, page(1, 2, 'replaying'));
  await settled();
  assert.equal(script.request.url.searchParams.get('after'), position(2));
  assert.equal(script.request.url.searchParams.get('wait'), '0');
  script.request.answer(200, page(3, 3, 'live'));
  await settled();
  assert.equal(script.request.url.searchParams.get('wait'), '25');
  assert.deepEqual(seen, positions(1, 3));
  assert.deepEqual([events.state.status, events.state.transport], ['live', 'poll']);
});

test('event streams that are cut off lead to long-polling too', async () => {
  const { script, clock } = await onSse();
  for (let i = 0; i < 2; i++) {
    script.request.fail();
    await clock.pass(8_000);
  }

  assert.equal(script.request.headers.Accept, 'application/json');
});

test('where nothing answers at all the best one is tried again, also soon after a lesser one worked', async () => {
  const { script, clock } = await onSse();
  for (let i = 0; i < 3; i++) {
    script.request.fail();
    await clock.pass(8_000);
  }

  assert.equal(script.sockets.length, 3);
  script.socket.closeWith(1006);
  await clock.pass(8_000);
  script.request.stream().push(message('ready', ready('0', 'live')));
  await clock.pass(5_000);
  assert.equal(script.sockets.length, 4);
});

test('answers without news that come at once are asked for once a second', async () => {
  const { script, clock } = await onSse();
  for (let i = 0; i < 2; i++) {
    script.request.answer(502, {});
    await clock.pass(8_000);
  }

  const before = script.requests.length;
  for (let i = 0; i < 10; i++) {
    script.request.answer(200, { after: null, events: [], cursor: null, head: null, resume: 'replaying', degraded: ['log'] });
    await clock.pass(1_000);
  }

  assert.ok(script.requests.length - before <= 11);
});

test('a better transport is tried beside the one in use, which stays until the other is ready', async () => {
  const { script, clock, seen, events } = await onSse();
  const request = script.request;
  const answer = request.stream();
  await settled();
  answer.push(message('ready', ready('0', 'live')) + data(eventsOf(1, 1)));
  for (let minute = 0; minute < 20; minute++) {
    await clock.pass(15_000);
    answer.push(message('heartbeat', { cursor: position(1) }));
    await settled();
  }

  assert.equal(script.sockets.length, 3);
  assert.equal(request.isAborted, false);
  assert.equal(events.state.status, 'live');
  answer.push(data(eventsOf(2, 2)));
  await settled();
  script.socket.receive({ ...ready(position(1)), head: position(3) });
  script.socket.receive({ type: 'events', after: position(1), events: eventsOf(2, 3), cursor: position(3) });
  await settled();
  assert.equal(request.isAborted, true);
  assert.deepEqual(seen, positions(1, 3));
  assert.equal(events.state.transport, 'websocket');
});

test('a better transport that was tried from a place that a reset left meanwhile begins no history twice', async () => {
  const { script, clock, seen, resets, events } = await onSse();
  const answer = script.request.stream();
  await settled();
  answer.push(message('ready', ready('0', 'live')) + data(eventsOf(1, 1)));
  while (script.sockets.length < 3) {
    await clock.pass(15_000);
    answer.push(message('heartbeat', { cursor: position(1) }));
    await settled();
  }

  assert.equal(script.socket.after, position(1));
  const other = [1, 2].map(number => ({ cursor: `epoch2_${number}`, type: 'note', run: 'r' }));
  const reset = { cursor: 'epoch2_0', reason: 'epoch' };
  answer.push(message('reset', { type: 'reset', ...reset }) + data(other));
  await settled();
  script.socket.receive({ ...ready('epoch2_0', 'reset'), ...reset, head: 'epoch2_2' });
  script.socket.receive({ type: 'events', after: 'epoch2_0', events: other, cursor: 'epoch2_2' });
  await settled();
  assert.deepEqual(seen, [position(1), 'epoch2_1', 'epoch2_2']);
  assert.deepEqual(resets, [{ reason: 'epoch', cursor: 'epoch2_0' }]);
  assert.deepEqual([script.socket.isClosed, events.state.transport], [true, 'sse']);
});

test('a better transport that still fails leaves everything as it was', async () => {
  const { script, clock, events } = await onSse();
  const answer = script.request.stream();
  await settled();
  answer.push(message('ready', ready('0', 'live')));
  for (let i = 0; i < 21; i++) {
    await clock.pass(15_000);
    answer.push(message('heartbeat', { cursor: null }));
    await settled();
  }

  assert.equal(script.sockets.length, 3);
  script.socket.closeWith(1006);
  await settled();
  assert.deepEqual([events.state.status, events.state.transport], ['live', 'sse']);
});

for (const [status, outcome] of [[401, 'token'], [403, 'refused'], [404, 'refused'], [400, 'defect']]) {
  test(`HTTP ${status} means ${outcome}`, async () => {
    const { script, clock, events } = await onSse();
    script.request.answer(status, {});
    await clock.pass(1_000);
    if (status === 401) {
      assert.equal(script.request.headers.Authorization, 'Bearer token-2');
      script.request.answer(status, {});
      await settled();
    }

    await settled();
    assert.equal(events.state.reason, outcome);
  });
}

test('Retry-After is a lower bound', async () => {
  const { script, clock, tab } = await onSse();
  script.request.answer(503, {}, { 'Retry-After': '20' });
  await clock.pass(19_000);
  tab.show(true);
  await clock.pass(900);
  assert.equal(script.requests.length + script.sockets.length, 3);
  await clock.pass(200);
  assert.equal(script.requests.length + script.sockets.length, 4);
});

test('a proxy that answers something else is no event stream', async () => {
  const { script, clock } = await onSse();
  script.request.answer(200, '<html>', { 'Content-Type': 'text/html' });
  await clock.pass(8_000);
  script.request.answer(200, '<html>', { 'Content-Type': 'text/html' });
  await clock.pass(8_000);
  assert.equal(script.request.headers.Accept, 'application/json');
});

test('over HTTP a client id is sent where there is no cursor, and acks as requests of their own', async () => {
  const { script, clock } = await onSse({ client: 'c1', after: undefined });
  assert.equal(script.request.url.search, '?client=c1&wait=0');
  const answer = script.request.stream();
  await settled();
  answer.push(message('ready', ready(position(5))) + data(eventsOf(6, 7)));
  await settled();
  await clock.pass(1_000);
  assert.equal(script.request.url.search, `?after=${position(7)}&client=c1&limit=1`);
  assert.equal(script.request.keepalive, true);
});
