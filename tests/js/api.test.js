import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Api, ApiProblem, DevToken, GivenToken, TokenNeeded } from '../../src/Delivery.Api/wwwroot/api.js';

const page = 'https://example.test/';
let requests, answers;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  requests = [];
  answers = [];
  mock.method(globalThis, 'fetch', async (url, init) => {
    requests.push({ url: url.href, ...init });
    const answer = answers.shift();
    if (answer instanceof Error) {
      throw answer;
    }

    return new Response(JSON.stringify(answer.body ?? {}), { status: answer.status, headers: answer.headers });
  });
});

afterEach(() => mock.restoreAll());

/** Lets time pass until the promise has settled. */
async function settle(promise) {
  let isSettled = false;
  promise.then(() => { isSettled = true; }, () => { isSettled = true; });
  for (let turns = 0; turns < 1_000 && !isSettled; turns++) {
    mock.timers.tick(1_000);
    await new Promise(setImmediate);
  }

  return promise;
}

test('a request that got no answer is sent again under the same key', async () => {
  answers = [new TypeError('network'), { status: 503, headers: { 'Retry-After': '1' } }, { status: 202, body: { run: 'r-1' } }];
  const api = new Api(page, new GivenToken('secret'));
  assert.deepEqual(await settle(api.startRun('a/b', 'hello', 'key-1')), { run: 'r-1' });
  assert.equal(requests.length, 3);
  assert.deepEqual(new Set(requests.map(request => request.headers['Idempotency-Key'])), new Set(['key-1']));
  assert.equal(requests[0].url, 'https://example.test/v1/threads/a%2Fb/runs');
  assert.equal(requests[0].headers.Authorization, 'Bearer secret');
  assert.equal(requests[0].body, '{"input":"hello"}');
});

test('a refusal is not sent again and says what was wrong', async () => {
  answers = [{ status: 413, body: { title: 'Too large', detail: 'input is 300 KB, the limit is 256 KB' } }];
  const api = new Api(page, new GivenToken('secret'));
  await assert.rejects(settle(api.startRun('t', 'x', 'k')), new ApiProblem(413, 'input is 300 KB, the limit is 256 KB'));
  assert.equal(requests.length, 1);
});

test('a server that stays away is an error in the end', async () => {
  answers = Array(6).fill(new TypeError('network'));
  await assert.rejects(settle(new Api(page, new GivenToken('secret')).cancelRun('r')), { status: 0 });
  assert.equal(answers.length, 0);
});

test('an expired token is replaced by a new one', async () => {
  answers = [
    { status: 200, body: { token: 'one' } }, { status: 401 }, { status: 200, body: { token: 'two' } }, { status: 202 }];
  await settle(new Api(page, new DevToken(page, 'alice')).cancelRun('r'));
  assert.deepEqual(requests.map(request => request.headers.Authorization),
    [undefined, 'Bearer one', undefined, 'Bearer two']);
  assert.equal(requests[0].body, '{"user":"alice"}');
});

test('a given token that was refused is not replaced by somebody else’s', async () => {
  answers = [{ status: 401 }];
  let refused = 0;
  await assert.rejects(settle(new Api(page, new GivenToken('old', () => refused++)).cancelRun('r')), TokenNeeded);
  assert.equal(requests.length, 1);
  assert.equal(refused, 1, 'it is forgotten where it was kept');
});

test('a server that hands out no tokens is told apart from one that is away', async () => {
  answers = [{ status: 404 }, new TypeError('network'), { status: 200, body: { token: 'one' } }];
  const session = new DevToken(page, 'alice');
  await assert.rejects(session.token(), TokenNeeded);
  await assert.rejects(session.token(), ApiProblem);
  assert.equal(await session.token(), 'one');
});

test('a token is fetched once for all who ask at the same time', async () => {
  answers = [{ status: 200, body: { token: 'one' } }];
  const session = new DevToken(page, 'alice');
  assert.deepEqual(await Promise.all([session.token(), session.token()]), ['one', 'one']);
  session.forget('another');
  assert.equal(await session.token(), 'one');
});
