import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { devTokens } from '../../src/Delivery.Api/wwwroot/session.js';

class Unavailable extends Error { }

let requests, answer;

beforeEach(() => {
  requests = [];
  mock.method(globalThis, 'fetch', async (url, init) => {
    requests.push({ url: url.href, body: init.body });
    return new Response(JSON.stringify(answer.body), { status: answer.status });
  });
});

afterEach(() => mock.restoreAll());

const ask = () => devTokens('https://example.test/prefix/', 'alice', Unavailable)();

test('a token is asked for in the name of the user, behind any prefix', async () => {
  answer = { status: 200, body: { token: 'one' } };
  assert.equal(await ask(), 'one');
  assert.deepEqual(requests, [{ url: 'https://example.test/prefix/v1/dev/token', body: '{"user":"alice"}' }]);
});

test('a server that hands out no tokens, or not to this user, is told apart from one that is away', async () => {
  answer = { status: 404, body: {} };
  await assert.rejects(ask(), Unavailable);
  answer = { status: 400, body: { detail: 'user is too long' } };
  await assert.rejects(ask(), new Unavailable('user is too long'));
  answer = { status: 503, body: {} };
  await assert.rejects(ask(), error => !(error instanceof Unavailable));
  answer = { status: 429, body: {} };
  await assert.rejects(ask(), error => !(error instanceof Unavailable));
});
