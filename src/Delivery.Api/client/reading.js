/** @import { Frame, LeaderState, LinkState, Owner, Reader, ReadingOptions, Tabs } from './types.js' */
import { connection } from './connection.js';
import { distance, silenceOf, take } from './continuity.js';
import { groupOf, tabs } from './tabs.js';

/**
 * Where a tab stands and what feeds it: its own connection, or the leader's. Who follows reads what it lacks over JSON, at
 * first and at each gap, and holds the leader's frames meanwhile.
 * @param {ReadingOptions} options @param {Reader} reader
 */
export const reading = (options, reader) => {
  const { platform, url, share } = options;
  /** After the last event that was queued. @type {string|null} */
  let at = null;
  /** The newest that is known of. @type {string|null} */
  let head = null;
  let isLive = false, isRunning = false, wasReplaced = false, group = '', silence = 0;
  /** @type {Tabs=} */
  let peers;
  /** @type {[Frame, number][]|null} */
  let held = null;
  /** @type {string[]} */
  let degraded = [];
  /** @type {LinkState} */
  let link = { status: 'connecting' };
  /** @type {LeaderState=} */
  let leader;

  const isLeader = () => peers?.isLeader() ?? true;
  const tellState = () => peers?.post({ state: { ...link, degraded, silence } });

  /** @param {Frame} frame @param {number} size @param {boolean} own */
  const receive = (frame, size, own) => {
    const step = take(at, frame, own);
    if (step.gap) return false;
    const moved = step.at !== at;
    at = step.at;
    head = frame.head ?? ((distance(head, at) ?? 1) > 0 ? at : head);
    if (frame.type === 'ready' || step.reset) isLive = false;
    if (step.events?.length) reader.events(step.events, size);
    else if (moved || step.reset) reader.place({ reset: step.reset, cursor: at });
    if (frame.type === 'live' || frame.resume === 'live' || frame.type === 'heartbeat' && at === head) {
      reader.place({ reached() {
        isLive = true;
        reader.changed();
      } });
    }
    reader.changed();
    return true;
  };

  /** @param {Frame} frame */
  const hear = (frame, size = 0) => {
    if (!isRunning) return;
    // Its state may be the last word of a former leader that did not know yet.
    if (leader && leader.status !== 'open') peers?.wake();
    if (held) {
      held.push([frame, size]);
      if (held.length > 1_000) held.shift();
    } else if (!receive(frame, size, false)) catchUp();
  };

  const catchUp = () => {
    if (held) return;
    held = [];
    isLive = false;
    aside.start();
  };

  /** @type {Owner} */
  const owner = {
    from: () => at,
    async admits(token) {
      const name = await groupOf(platform, share, url, token);
      if (name === group) return true;
      const wasRunning = isRunning;
      stop();
      group = name;
      peers = name ? tabs(platform, name, { lead, follow, frame: hear, state: learn }) : undefined;
      if (wasRunning) start();
      return false;
    },
    onFrame(frame, size) {
      if (frame.type === 'ready') silence = silenceOf(frame);
      degraded = frame.degraded ?? degraded;
      peers?.post({ frame, size });
      if (frame.degraded) tellState();
      if (!receive(frame, size, true)) (held ? aside : main).reread();
      else if (held && frame.type === 'live') {
        aside.stop();
        const missed = held;
        held = null;
        // Reading on from a gap brings the rest too.
        for (const [frame, size] of missed) if (isRunning && !receive(frame, size, false)) return catchUp();
      }
    },
    onState(state) {
      link = state;
      if (state.status !== 'open') isLive = false;
      tellState();
      if (state.status !== 'closed') reader.changed();
      else if (state.reason === 'replaced' && peers) {
        // By the tab that took the lead? Then the lock is not to be had.
        wasReplaced = true;
        stop();
        start();
      } else reader.closed(state.reason ?? '');
    },
  };
  const main = connection({ ...options, rungs: platform.WebSocket ? ['websocket', 'sse', 'poll'] : ['sse', 'poll'] }, owner);
  const aside = connection({ ...options, rungs: ['poll'] }, owner);

  const lead = () => {
    aside.stop();
    held = null;
    leader = undefined;
    wasReplaced ? reader.closed('replaced') : main.start();
  };
  const follow = () => {
    main.stop();
    catchUp();
  };
  /** @param {LeaderState} state */
  const learn = state => {
    wasReplaced = false;
    leader = state;
    reader.changed();
  };

  const start = () => {
    isRunning = true;
    (peers?.join ?? main.start)();
  };
  const stop = () => {
    isRunning = isLive = false;
    peers?.leave();
    main.stop();
    aside.stop();
    held = null;
    leader = undefined;
  };

  return {
    start, stop,
    send: main.send,
    /** @param {string|null} cursor */
    place(cursor) {
      at = cursor;
    },
    /** @param {boolean} isOtherNetwork */
    wake(isOtherNetwork) {
      main.wake(isOtherNetwork);
      aside.wake(isOtherNetwork);
      peers?.wake();
    },
    /** @param {string|null} cursor */
    state(cursor) {
      const from = leader && link.status !== 'offline' ? leader : { ...link, degraded };
      const isOpen = from.status === 'open';
      const behind = isLive ? 0 : distance(cursor, head);
      return {
        status: !isOpen ? from.status : from.degraded.length ? 'degraded' : isLive ? 'live' : 'replaying',
        degraded: from.degraded,
        behind: behind && Math.max(0, behind),
        retryAt: from.retryAt ?? null,
        reason: from.reason ?? null,
        transport: from.transport ?? null,
        leader: isLeader(),
      };
    },
  };
};
