/** @import { Platform } from './types.js' */
import { fullJitter } from './backoff.js';
import { Tokens } from './token.js';
import { retryAfter } from './transports/http.js';

const tries = 6;
const patience = 15_000;
const passing = [0, 401, 429, 502, 503, 504];

/** An answer that says what was wrong and what to do (RFC 9457). Status 0: there was no answer. */
export class CommandError extends Error {
  /** @param {number} status @param {Record<string, any>} problem */
  constructor(status, { title, detail, reason, field }) {
    super(detail ?? title ?? (status ? `The server answered ${status}.` : 'The server could not be reached.'));
    Object.assign(this, { status, title, detail, reason, field });
    this.status = status;
  }
}

/** A fresh key. `crypto.randomUUID` is there on HTTPS and localhost only. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');

/**
 * Commands. Each may be sent twice without being done twice, so each is sent until it was answered.
 * @param {{platform: Platform, base: string, tokens: Tokens}} options
 */
export function commands({ platform, base, tokens }) {
  /** @param {string} path @param {object} body @param {Record<string, string>} headers */
  const send = async (path, body, headers) => {
    const token = await tokens.get();
    const abort = new AbortController();
    const timer = platform.setTimeout(() => abort.abort(), patience);
    let response;
    try {
      response = await platform.fetch(new URL(path, base), {
        method: 'POST',
        headers: { ...headers, Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
        signal: abort.signal,
      });
      const answer = await response.json().catch(() => ({}));
      if (response.ok) {
        return answer;
      }

      response.status === 401 && tokens.refuse(token);
      throw Object.assign(new CommandError(response.status, answer), { retry: retryAfter(response, platform.now()) });
    } catch (error) {
      throw response ? error : new CommandError(0, {});
    } finally {
      platform.clearTimeout(timer);
    }
  };

  /** @param {string} path @param {object} body @param {Record<string, string>} [headers] */
  const command = async (path, body, headers = {}) => {
    for (let failures = 0; ; failures++) {
      try {
        return await send(path, body, headers);
      } catch (/** @type {any} */ error) {
        if (!passing.includes(error.status) || failures === tries - 1) {
          throw error;
        }

        const wait = Math.max(error.retry ?? 0, fullJitter(failures, platform.random));
        await new Promise(resolve => { platform.setTimeout(() => resolve(0), wait); });
      }
    }
  };

  return {
    /** @param {string} thread @param {string} input @param {{agent?: string, key?: string}} [options] */
    startRun: (thread, input, { agent, key = newKey() } = {}) =>
      command(`v1/threads/${encodeURIComponent(thread)}/runs`, { input, agent }, { 'Idempotency-Key': key }),
    /** @param {string} run */
    cancel: run => command(`v1/runs/${encodeURIComponent(run)}/cancel`, {}),
  };
}
