import { TokenUnavailable, connect, emptyState, fold } from './client/index.js';
import { History, breathe } from './history.js';
import { Outbox, newId } from './outbox.js';
import { devTokens, service } from './session.js';

/** Everything that belongs to one person; replaced as a whole when another one signs in. */
export class Account {
  #changed;
  /** What was read out already; null until the past is known. */
  heard = null;
  stopping = new Set();
  /** Why there is no token, in the server's words. */
  problem = null;

  /**
   * @param {{user: string, given: string|null, thread: string|null}} whose `given`: a token that came with the address;
   *   `thread`: the one that was open last, null where that is not known
   * @param {{onChange: () => void, onReset: () => void, onState: (state: object) => void}} on
   */
  constructor({ user, given, thread }, { onChange, onReset, onState }) {
    this.user = user;
    this.given = given;
    this.thread = thread;
    this.#changed = onChange;
    this.#forget();
    this.events = connect({ url: service, token: given ?? this.#tokens(), after: '0' });
    this.outbox = new Outbox((thread, input, key) => this.events.startRun(thread, input, { key }), onChange, newId);
    this.events.on('events', batch => this.#take(batch));
    this.events.on('reset', () => {
      this.#forget();
      onReset();
    });
    this.events.on('state', onState);
  }

  get projection() {
    return this.history.projection;
  }

  /** The runs of the open thread, oldest first. */
  get runs() {
    const { threads, runs } = this.projection;
    return (threads.get(this.thread)?.runs ?? []).map(id => runs.get(id));
  }

  /** Whether the past is still being read for the first time: not worth drawing piece by piece. */
  get isCatchingUp() {
    const { status, degraded, behind } = this.events.state;
    return this.heard === null && (['connecting', 'replaying'].includes(status)
      || (status === 'offline' && this.projection.runs.size === 0)
      || (status === 'degraded' && behind !== 0 && !degraded.includes('log')));
  }

  send(text) {
    this.outbox.send(this.thread, text, this.runs.length);
  }

  /** @returns {Promise<string|null>} what went wrong */
  async stop(run) {
    this.stopping.add(run);
    this.#changed();
    try {
      await this.events.cancel(run);
      return null;
    } catch (error) {
      this.stopping.delete(run);
      this.#changed();
      return `The run could not be stopped: ${error.message}`;
    }
  }

  async #take(batch) {
    await this.history.add(batch);
    this.outbox.settle(this.projection);
    this.#changed();
  }

  /** The history we had is gone or another one: what follows begins anew. */
  #forget() {
    this.history = new History({ fold, emptyState }, breathe);
    this.heard = null;
  }

  #tokens() {
    const ask = devTokens(service, this.user, TokenUnavailable);
    return async () => {
      try {
        return await ask();
      } catch (error) {
        this.problem = error.message;
        throw error;
      }
    };
  }
}
