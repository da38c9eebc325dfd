import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError } from '../../../src/Delivery.Api/client/index.js';
import { settled } from './clock.js';
import { begin } from './scripted.js';

test('a run is started with its input, agent and key', async () => {
  const { events, script } = await begin();
  const started = events.startRun('t/1', 'Hello', { agent: 'demo', key: 'k1' });
  await settled();
  assert.equal(script.request.url.href, 'https://example.test/base/v1/threads/t%2F1/runs');
  assert.equal(script.request.method, 'POST');
  assert.deepEqual(JSON.parse(script.request.body), { input: 'Hello', agent: 'demo' });
  assert.equal(script.request.headers['Idempotency-Key'], 'k1');
  assert.equal(script.request.headers.Authorization, 'Bearer token-1');
  script.request.answer(202, { run: 'r1', thread: 't/1', status: 'queued', cursor: 'epoch1_4' });
  assert.deepEqual(await started, { run: 'r1', thread: 't/1', status: 'queued', cursor: 'epoch1_4' });
});

test('each run has a key of its own, the same over its retries', async () => {
  const { events, script, clock } = await begin();
  const started = events.startRun('t', 'one');
  await settled();
  script.request.fail();
  await clock.pass(1_000);
  script.request.answer(503, {});
  await clock.pass(2_000);
  script.request.answer(202, { run: 'r1' });
  assert.equal((await started).run, 'r1');
  const keys = script.requests.map(({ headers }) => headers['Idempotency-Key']);
  assert.equal(new Set(keys).size, 1);
  assert.match(keys[0], /^\d+(-\d+){3}$/);
  events.startRun('t', 'two');
  await settled();
  assert.notEqual(script.request.headers['Idempotency-Key'], keys[0]);
});

test('a refused token is replaced, and the command repeated', async () => {
  const { events, script, clock } = await begin();
  const cancelled = events.cancel('r 1');
  await settled();
  assert.equal(script.request.url.pathname, '/base/v1/runs/r%201/cancel');
  script.request.answer(401, {});
  await clock.pass(1_000);
  assert.equal(script.request.headers.Authorization, 'Bearer token-2');
  script.request.answer(202, { run: 'r 1', status: 'cancelled' });
  assert.equal((await cancelled).status, 'cancelled');
});

test('Retry-After is waited for', async () => {
  const { events, script, clock } = await begin();
  events.cancel('r');
  await settled();
  script.request.answer(503, {}, { 'Retry-After': '7' });
  await clock.pass(6_900);
  assert.equal(script.requests.length, 1);
  await clock.pass(100);
  assert.equal(script.requests.length, 2);
});

test('what is wrong with a command is told, and not tried again', async () => {
  const { events, script } = await begin();
  const started = events.startRun('t', '', {});
  await settled();
  script.request.answer(400, { title: 'Bad request', status: 400, detail: 'input is missing', field: 'input' });
  await assert.rejects(started, error => {
    assert.ok(error instanceof CommandError);
    assert.equal(error.message, 'input is missing');
    const { status, title, detail, reason, field } = error;
    assert.deepEqual({ status, title, detail, reason, field },
      { status: 400, title: 'Bad request', detail: 'input is missing', reason: undefined, field: 'input' });
    return true;
  });
  assert.equal(script.requests.length, 1);
});

test('a service that stays away is a CommandError without a status, after eight tries', async () => {
  const { events, script, clock } = await begin();
  const cancelled = events.cancel('r');
  const outcome = assert.rejects(cancelled, { status: 0 });
  const commands = () => script.requests.filter(({ method }) => method === 'POST');
  for (let i = 0; i < 8; i++) {
    await clock.pass(8_000);
    commands().at(-1).fail();
  }

  await outcome;
  assert.equal(commands().length, 8);
});

test('a request without an answer is given up after 15 s and repeated', async () => {
  const { events, script, clock } = await begin();
  events.cancel('r');
  await clock.pass(15_000);
  assert.equal(script.requests[0].isAborted, true);
  await clock.pass(1_000);
  assert.equal(script.requests.length, 2);
});
