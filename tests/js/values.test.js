import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, duration, oneLine, span } from '../../src/Delivery.Api/wwwroot/format.js';
import { preview } from '../../src/Delivery.Api/wwwroot/values.js';

test('a value is shown on one line, without the braces around it', () => {
  assert.equal(preview({ query: 'a "b"', limit: 3, tags: ['x', { y: null }] }), 'query: "a \\"b\\"", limit: 3, tags: ["x", {y: null}]');
  assert.equal(preview('two\n  lines'), 'two lines');
  assert.equal(preview([]), '[]');
  assert.equal(preview({}), '{}');
  assert.equal(preview(null), 'null');
});

test('of a large value only the beginning is written', () => {
  let reads = 0;
  const value = Array.from({ length: 10_000 }, () => ({ get id() { return ++reads; } }));
  assert.equal(preview(value, 20), `[{id: 1}, {id: 2}, {…`);
  assert.ok(reads < 20, `${reads} reads`);
  assert.equal(preview('x'.repeat(1_000), 10), `${'x'.repeat(10)}…`);
});

test('spans of time in the unit that people would use', () => {
  assert.deepEqual([0, 999, 1_000, 59_900, 59_999, 119_900, 3_600_000, 5_400_000].map(span),
    ['0 ms', '999 ms', '1.0 s', '59.9 s', '1 min 0 s', '2 min 0 s', '1 h 0 min', '1 h 30 min']);
  assert.equal(duration(null, '2026-01-01T00:00:00Z'), null);
  assert.equal(duration('2026-01-01T00:00:01Z', '2026-01-01T00:00:00Z'), null, 'a clock that went back tells nothing');
  assert.deepEqual([0, 1_023, 1_536, 262_144, 3_145_728].map(bytes), ['0 B', '1023 B', '1.5 KB', '256.0 KB', '3.0 MB']);
});

test('a title is the first words on one line', () => {
  assert.equal(oneLine(' a\n\n b '), 'a b');
  assert.equal(oneLine('abcdef', 3), 'abc…');
});
