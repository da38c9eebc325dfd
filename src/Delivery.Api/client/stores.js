/** @import { CursorStore } from './types.js' */

/** @returns {CursorStore} forgets with the page */
export function memoryStore() {
  /** @type {string|null} */
  let kept = null;
  return { load: () => kept, save: cursor => { kept = cursor; } };
}

/**
 * @param {() => Storage} storage
 * @param {string} key
 * @returns {CursorStore}
 */
const webStore = (storage, key) => guarded({
  load: () => storage().getItem(`agent-events:${key}`),
  save: cursor => storage().setItem(`agent-events:${key}`, cursor),
});

/** This tab's own: survives a reload. @param {string} key */
export const sessionStore = key => webStore(() => sessionStorage, key);

/** This browser's. @param {string} key */
export const localStore = key => webStore(() => localStorage, key);

/** This browser's, also for a worker. @param {string} key */
export function indexedDbStore(key) {
  /** @param {IDBTransactionMode} mode @param {(cursors: IDBObjectStore) => IDBRequest} act */
  const run = (mode, act) => new Promise((resolve, reject) => {
    const opening = indexedDB.open('agent-events', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('cursors');
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction('cursors', mode);
      const request = act(transaction.objectStore('cursors'));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
      opening.result.close();
    };
  });
  return guarded({
    load: async () => await run('readonly', cursors => cursors.get(key)) ?? null,
    save: cursor => run('readwrite', cursors => cursors.put(cursor, key)),
  });
}

/**
 * A store that never fails: without room, or in a private window, it remembers for as long as the page is there.
 * @param {CursorStore} store
 * @returns {CursorStore}
 */
export function guarded(store) {
  const memory = memoryStore();
  return {
    load: async () => {
      try {
        return await memory.load() ?? await store.load();
      } catch {
        return null;
      }
    },
    save: async cursor => {
      memory.save(cursor);
      try {
        await store.save(cursor);
      } catch {
        // Kept in memory.
      }
    },
  };
}
