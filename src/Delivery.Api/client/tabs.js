/** @import { LeaderState, Platform, TabRole, Tabs } from './types.js' */
import { timers } from './timers.js';
import { identityOf } from './token.js';

/**
 * Many tabs, one connection: the holder of a Web Lock leads and broadcasts its frames. A hidden leader still gets messages, but
 * its timers run once a minute and it may be frozen: a visible tab that hears nothing steals the lock. Two leaders do no harm:
 * each tab checks continuity.
 * @param {Platform} platform @param {string} name @param {TabRole} role @returns {Tabs}
 */
export const tabs = (platform, name, role) => {
  const { after, clear } = timers(platform);
  /** @type {BroadcastChannel=} */
  let channel;
  /** @type {LeaderState=} */
  let state;
  let isLeader = false, turn = 0, silence = 32_000, quit = () => { };

  /** @param {LockOptions} options */
  const request = options => {
    const mine = ++turn;
    quit();
    clear();
    platform.locks?.request(name, options, lock => {
      if (mine !== turn) return;
      if (!lock) return follow();
      isLeader = true;
      clear();
      return new Promise(resolve => {
        quit = () => resolve(isLeader = false);
        role.lead();
      });
    }).catch(({ name: error }) => {
      if (mine !== turn) return;
      // Stolen; anything else: this page may have no locks.
      if (error === 'AbortError') return follow();
      isLeader = true;
      role.lead();
    });
  };

  const follow = () => {
    const abort = new AbortController();
    isLeader = false;
    request({ signal: abort.signal });
    quit = () => abort.abort();
    role.follow();
    wake();
  };

  /** The leader, within so many ms. */
  const expect = (milliseconds = 0) => after('leader', milliseconds + 500 * platform.random(), () => {
    if (platform.visible()) request({ steal: true });
  });

  const wake = () => {
    if (!channel || isLeader) return;
    channel.postMessage({ ping: true });
    expect(2_000);
  };

  return {
    wake,
    isLeader: () => isLeader,
    join() {
      channel = new platform.BroadcastChannel(name);
      channel.onmessage = ({ data: { frame, size, state: theirs, ping } }) => {
        if (ping) {
          if (isLeader) channel?.postMessage({ state });
        } else if (!isLeader) {
          silence = theirs?.silence ?? silence;
          expect(silence);
          frame ? role.frame(frame, size) : role.state(theirs);
        }
      };
      request({ ifAvailable: true });
    },
    /** A page that holds a lock can't go to the back/forward cache. */
    leave() {
      turn++;
      quit();
      clear();
      channel?.close();
      channel = undefined;
    },
    post(message) {
      state = message.state ?? state;
      if (isLeader) channel?.postMessage(message);
    },
  };
};

/** '': not to be shared. @param {Platform} platform @param {boolean|string} share */
export const groupOf = async ({ locks, BroadcastChannel, crypto }, share, url = '', token = '') => {
  const identity = identityOf(token);
  if (!share || !locks || !BroadcastChannel || share === true && !identity) return '';
  const text = new TextEncoder().encode(JSON.stringify([share, url, identity]));
  return `agent-events:${new Uint8Array(await crypto.subtle.digest('SHA-256', text)).join('')}`;
};
