import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

const seeds = Number(process.env.SEEDS ?? 200);
const first = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));

test(`whatever is broken, each tab sees previous + 1 or a reset, nothing twice, and catches up (${seeds} seeds from ${first})`, async () => {
  const worker = new Worker(new URL('./random.js', import.meta.url), { workerData: { first, seeds } });
  const [events] = await once(worker, 'message');
  assert.ok(events > seeds * 500, `only ${events} events were seen`);
});
