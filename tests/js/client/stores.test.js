import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { indexedDbStore, localStore, memoryStore, sessionStore } from '../../../src/Delivery.Api/client/index.js';

class FakeStorage {
  #items = new Map();
  getItem = key => this.#items.get(key) ?? null;
  setItem = (key, value) => { this.#items.set(key, value); };
}

/** As much of IndexedDB as a store needs; what happens is told in later turns, as it is in a browser. */
class FakeIndexedDb {
  #stores = new Map();

  open() {
    const database = {
      createObjectStore: name => this.#stores.set(name, new Map()),
      transaction: name => this.#transaction(this.#stores.get(name)),
      close() { },
    };
    const opening = { result: database };
    setImmediate(() => {
      this.#stores.size === 0 && opening.onupgradeneeded();
      opening.onsuccess();
    });
    return opening;
  }

  #transaction(items) {
    const transaction = {
      objectStore: () => ({
        get: key => ({ result: items.get(key) }),
        put: (value, key) => ({ result: items.set(key, value) && key }),
      }),
    };
    setImmediate(() => transaction.oncomplete());
    return transaction;
  }
}

afterEach(() => {
  delete globalThis.sessionStorage;
  delete globalThis.localStorage;
  delete globalThis.indexedDB;
});

for (const [name, make, prepare] of [
  ['memory', () => { const store = memoryStore(); return () => store; }, () => { }],
  ['session', () => sessionStore, () => { globalThis.sessionStorage = new FakeStorage(); }],
  ['local', () => localStore, () => { globalThis.localStorage = new FakeStorage(); }],
  ['IndexedDB', () => indexedDbStore, () => { globalThis.indexedDB = new FakeIndexedDb(); }],
]) {
  test(`a ${name} store gives back what it was given last`, async () => {
    prepare();
    const of = make();
    assert.equal(await of('a').load() ?? null, null);
    await of('a').save('epoch1_1');
    await of('a').save('epoch1_2');
    assert.equal(await of('a').load(), 'epoch1_2');
    name === 'memory' || assert.equal(await of('b').load() ?? null, null);
  });
}

test('a store is made where there is no storage, and fails only when it is used', async () => {
  for (const make of [sessionStore, localStore, indexedDbStore]) {
    const store = make('a');
    await assert.rejects(async () => store.load());
  }
});
