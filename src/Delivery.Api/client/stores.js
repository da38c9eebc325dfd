/** @import { CursorStore } from './types.js' */

/** Forgets with the page. @returns {CursorStore} */
export const memoryStore = () => {
  let kept = '';
  return { load: () => kept || null, save: cursor => { kept = cursor; } };
};

/** @param {() => Storage} storage @returns {CursorStore} */
const webStore = (storage, key = '') => ({
  load: () => storage().getItem(`agent-events:${key}`),
  save: cursor => storage().setItem(`agent-events:${key}`, cursor),
});

/** This tab's: survives a reload. */
export const sessionStore = (key = '') => webStore(() => sessionStorage, key);

/** This browser's. */
export const localStore = (key = '') => webStore(() => localStorage, key);

/** This browser's, in workers too. @returns {CursorStore} */
export const indexedDbStore = (key = '') => {
  /** @param {IDBTransactionMode} mode @param {(cursors: IDBObjectStore) => IDBRequest} act @returns {Promise<any>} */
  const run = (mode, act) => new Promise((resolve, reject) => {
    const opening = indexedDB.open('agent-events');
    opening.onupgradeneeded = () => opening.result.createObjectStore('cursors');
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction('cursors', mode);
      const request = act(transaction.objectStore('cursors'));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
      database.close();
    };
  });
  return {
    load: () => run('readonly', cursors => cursors.get(key)),
    save: cursor => run('readwrite', cursors => cursors.put(cursor, key)),
  };
};
