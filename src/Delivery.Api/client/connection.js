/** @import { Close, Connection, ConnectionOptions, Frame, Link, Open, Owner } from './types.js' */
import { fullJitter } from './backoff.js';
import { silenceOf } from './continuity.js';
import { ladder } from './ladder.js';
import { timers } from './timers.js';
import { TokenUnavailable, identityOf, renewalOf } from './token.js';
import { openPoll } from './transports/poll.js';
import { openSse } from './transports/sse.js';
import { openWebSocket } from './transports/websocket.js';

/** @type {Record<string, Open>} */
const transports = { websocket: openWebSocket, sse: openSse, poll: openPoll };
// In ms: to be ready in; between two attempts; what was live for so long was sound.
const patience = 10_000, spacing = 250, sound = 5_000;

/** PROTOCOL.md, section 8; any other: reconnect. @type {Record<number, string>} */
const policy = {
  4401: 'token', 4403: 'refused', 4404: 'refused', 4409: 'replaced', 1007: 'defect', 1008: 'defect', 1009: 'defect',
};

/** One connection, for ever; one attempt at a time, whatever wakes it. @param {ConnectionOptions} options @param {Owner} owner @returns {Connection} */
export const connection = ({ platform, url, client, tokens, rungs }, owner) => {
  const { now, random } = platform;
  const steps = ladder(rungs);
  const { after, clear } = timers(platform);
  /** @typedef {{name: string, after: string|null, isReady?: boolean, link?: Link}} Line */
  /** @type {Line=} */
  let line;
  /** Takes the line's place when it is ready. @type {Line=} */
  let trial;
  let isRunning = false, isWaiting = false, turn = 0, failures = 0, refusals = 0, token = '', silence = 0, heardAt = 0;
  let liveAt = Infinity, attemptedAt = 0, openedAt = -Infinity, heldAt = 0, hold = 0;

  const abandon = () => {
    clear();
    line?.link?.close();
    trial?.link?.close();
    line = trial = undefined;
    isWaiting = false;
    liveAt = Infinity;
    return ++turn;
  };

  const schedule = (delay = 0) => {
    abandon();
    // Bounded by their lengths, since the wall clock may jump back.
    const left = (from = 0, length = 0) => Math.min(from + length - now(), length);
    const wait = Math.max(delay, left(heldAt, hold), left(openedAt, spacing));
    if (wait <= 0) {
      attempt();
      return;
    }
    isWaiting = true;
    after('next', wait, attempt);
    owner.onState({ status: 'offline', retryAt: now() + wait });
  };

  const attempt = async () => {
    const mine = abandon();
    attemptedAt = now();
    after('next', patience, () => ended(line, {}));
    owner.onState({ status: 'connecting' });
    try {
      const got = await tokens.get();
      if (mine !== turn || !await owner.admits(got) || mine !== turn) return;
      token = got;
      line = open(steps.rung());
    } catch (error) {
      if (mine === turn) error instanceof TokenUnavailable ? giveUp('token') : lost({});
    }
  };

  const open = (name = '') => {
    /** @type {Line} */
    const opened = { name, after: owner.from() };
    openedAt = now();
    opened.link = transports[name]({
      url, client, platform, token: () => token, after: opened.after,
      onFrame: (frame, size) => receive(opened, frame, size),
      onClose: close => ended(opened, close),
    });
    return opened;
  };

  /** @param {Line} from @param {Frame} frame @param {number} size */
  const receive = (from, frame, size) => {
    const isReady = frame.type === 'ready';
    if (isReady && from === trial) {
      // From a place that was left since.
      if (frame.resume === 'reset' && from.after !== owner.from()) return endTrial();
      line?.link?.close();
      line = trial;
      trial = undefined;
    }
    if (from !== line) return;
    if (isReady) {
      line.isReady = true;
      refusals = 0;
      silence = silenceOf(frame);
      steps.worked(line.name);
      owner.onState({ status: 'open', transport: line.name });
      keepToken();
      climb();
    }
    heardAt = now();
    if (frame.type === 'live' || frame.resume === 'live') liveAt = Math.min(liveAt, heardAt);
    after('next', silence, () => lost({}));
    owner.onFrame(frame, size);
  };

  /** @param {Line|undefined} from @param {Close} close */
  const ended = (from, { code = 0, retry, unreachable }) => {
    if (from && from === trial) endTrial();
    if (from !== line) return;
    if (unreachable) steps.unreachable();
    // A code of the service's own says that the transport gets through.
    else if (line && !line.isReady && platform.online() && code < 1_007) steps.failed();
    const next = policy[code];
    if (!next) lost({ code, retry });
    else if (next !== 'token' || tokens.refuse(token) && refusals++) giveUp(next);
    else schedule();
  };

  /** @param {Close} close */
  const lost = ({ code, retry = 0 }) => {
    if (now() - liveAt >= sound) failures = 0;
    const isOverload = code === 1013;
    const delay = Math.max(retry, fullJitter(failures++, random, isOverload ? 30_000 : 8_000));
    heldAt = now();
    hold = isOverload ? delay : retry;
    schedule(delay);
  };

  const giveUp = (reason = '') => {
    stop();
    owner.onState({ status: 'closed', reason });
  };

  const tryOut = (name = '') => {
    trial?.link?.close();
    trial = open(name);
    after('trial', patience, endTrial);
  };

  const endTrial = () => {
    if (!trial) return;
    trial.link?.close();
    trial = undefined;
    steps.trialFailed();
    climb();
  };

  const climb = () => {
    const wait = steps.patience();
    if (wait) after('trial', wait, () => tryOut(steps.better()));
  };

  const keepToken = () => {
    const wait = renewalOf(token, now());
    if (wait) after('token', wait, renew);
  };

  const renew = async () => {
    const mine = turn;
    const got = await tokens.renew().catch(() => token);
    if (mine !== turn || !await owner.admits(got) || mine !== turn) return;
    const isOther = identityOf(got) !== identityOf(token), isNew = got !== token;
    token = got;
    if (isOther) schedule();
    else {
      if (isNew) line?.name === 'sse' ? tryOut('sse') : send({ type: 'auth', token });
      keepToken();
    }
  };

  /** @param {object} frame */
  const send = frame => {
    if (!line?.isReady) return false;
    line.link?.send?.(frame);
    return true;
  };

  const stop = () => {
    isRunning = false;
    abandon();
  };

  return {
    send, stop,
    start() {
      if (!isRunning) {
        isRunning = true;
        refusals = 0;
        schedule();
      }
    },
    reread: () => lost({}),
    wake(isOtherNetwork) {
      if (!isRunning) return;
      if (isOtherNetwork) {
        failures = 0;
        steps.restart();
      }
      const isDead = line?.isReady ? isOtherNetwork || now() - heardAt > silence : now() - attemptedAt > patience;
      if (isWaiting || isDead) schedule();
    },
  };
};
