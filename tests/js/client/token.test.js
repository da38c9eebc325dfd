import assert from 'node:assert/strict';
import { test } from 'node:test';
import { identityOf, renewalOf, tokensOf } from '../../../src/Delivery.Api/client/token.js';
import { jwt } from './browser.js';

test('an identity is the claims that do not change from token to token, in any order', () => {
  const one = identityOf(jwt({ sub: 'ändré', tenant: 't', exp: 1, iat: 2, nbf: 3, jti: 'a' }));
  assert.equal(one, identityOf(jwt({ tenant: 't', sub: 'ändré', exp: 9, iat: 9, jti: 'b' })));
  assert.notEqual(one, identityOf(jwt({ sub: 'bob', tenant: 't' })));
  assert.notEqual(identityOf(jwt({ a: 'b' })), identityOf(jwt({ a: ['b'] })));
});

test('an opaque token tells no identity and no end', () => {
  for (const token of ['opaque', 'a.b.c', '', jwt({})]) {
    assert.equal(identityOf(token), '');
    assert.ok(Number.isNaN(renewalOf(token, 0)));
  }
});

test('a token is renewed at 80 % of its life or a minute before its end, whichever is later', () => {
  assert.equal(renewalOf(jwt({ exp: 3_600 }), 0), 3_540_000);
  assert.equal(renewalOf(jwt({ exp: 120 }), 0), 96_000);
  assert.equal(renewalOf(jwt({ exp: 2 }), 0), 5_000);
});

test('a token that has ended by this clock is left to the server to refuse', () => {
  assert.ok(Number.isNaN(renewalOf(jwt({ exp: 10 }), 11_000)));
});

test('a provider is asked once at a time, and again when its token was refused', async () => {
  let asked = 0;
  const tokens = tokensOf(async () => `token-${++asked}`, () => 0);
  assert.deepEqual(await Promise.all([tokens.get(), tokens.get()]), ['token-1', 'token-1']);
  assert.equal(await tokens.get(), 'token-1');
  tokens.refuse('another');
  assert.equal(await tokens.get(), 'token-1');
  tokens.refuse('token-1');
  assert.equal(await tokens.get(), 'token-2');
  assert.equal(await tokens.renew(), 'token-3');
});

test('a provider that failed is asked again', async () => {
  let fails = true;
  const tokens = tokensOf(() => {
    if (fails) {
      throw new Error('away');
    }

    return 'token';
  }, () => 0);
  await assert.rejects(tokens.get());
  fails = false;
  assert.equal(await tokens.get(), 'token');
});

test('a refused token counts as fresh for ten seconds, and only the one that is known', async () => {
  let time = 0;
  const tokens = tokensOf('token', () => time);
  for (const [age, isFresh] of [[0, true], [10_000, true], [10_001, false]]) {
    await tokens.get();
    time += age;
    assert.equal(tokens.refuse('another'), false);
    assert.equal(tokens.refuse('token'), isFresh);
  }
});
