import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Composer } from '../../src/Delivery.Api/wwwroot/composer.js';

let elements, thread, sent, failing;

class FakeElement extends EventTarget {
  value = '';
  dataset = {};
  firstChild = null;
  append() {}
  disabled = false;
  focus() {}
  requestSubmit() {
    this.dispatchEvent(new Event('submit', { cancelable: true }));
  }
}

beforeEach(() => {
  elements = new Map(['composer', 'input', 'send', 'composer-status'].map(id => [id, new FakeElement()]));
  globalThis.document = { getElementById: id => elements.get(id) };
  thread = 'one';
  sent = [];
  failing = true;
});

async function submit(composer, text) {
  composer.submit(text);
  for (let i = 0; i < 10; i++) await null;
}

const compose = () => new Composer(async (text, key) => {
  sent.push(key);
  if (failing) {
    throw new Error('no answer');
  }
}, () => thread);

test('the same text to the same conversation is the same request until it was taken', async () => {
  const composer = compose();
  await submit(composer, 'hello');
  failing = false;
  await submit(composer, 'hello');
  assert.equal(sent[0], sent[1]);
  await submit(composer, 'hello');
  assert.notEqual(sent[1], sent[2]);
});

test('another text, or the same to another conversation, is another request', async () => {
  const composer = compose();
  await submit(composer, 'hello');
  await submit(composer, 'hello there');
  thread = 'two';
  await submit(composer, 'hello there');
  assert.equal(new Set(sent).size, 3);
});
