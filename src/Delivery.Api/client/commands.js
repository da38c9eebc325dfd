/** @import { Commands, Platform, Tokens } from './types.js' */
import { fullJitter } from './backoff.js';
import { request, retryAfter } from './transports/http.js';

/** RFC 9457; status 0: there was no answer. */
export class CommandError extends Error {
  /** @param {number} status @param {{title?: string, detail?: string, reason?: string, field?: string}} problem */
  constructor(status, { title, detail, reason, field }) {
    super(detail ?? title ?? (status ? `The server answered ${status}.` : 'The server could not be reached.'));
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.reason = reason;
    this.field = field;
  }
}

// `randomUUID` is for HTTPS and localhost only.
const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join('-');

/** None is done twice when it is sent twice. @param {Platform} platform @param {URL} base @param {Tokens} tokens @returns {Commands} */
export const commands = (platform, base, tokens) => {
  /** @param {object} content @param {Record<string, string>} [headers] */
  const send = async (path = '', content, headers) => {
    const token = await tokens.get();
    const abort = new AbortController();
    const timer = platform.setTimeout(() => abort.abort(), 15_000);
    const response = await request(platform, new URL(path, base), {
      method: 'POST', body: JSON.stringify(content), signal: abort.signal,
      headers: { ...headers, 'Content-Type': 'application/json' },
    }, token).catch(() => null);
    const answer = await response?.json().catch(() => null) ?? {};
    platform.clearTimeout(timer);
    if (response?.ok) return answer;
    if (response?.status === 401) tokens.refuse(token);
    throw Object.assign(new CommandError(response?.status ?? 0, answer), { retry: response ? retryAfter(response, platform.now()) : 0 });
  };
  /** @type {typeof send} */
  const command = async (...given) => {
    for (let failures = 0; ; failures++) {
      try {
        return await send(...given);
      } catch (/** @type {any} */ error) {
        if (failures === 7 || ![0, 401, 429, 502, 503, 504].includes(error.status)) throw error;
        const wait = Math.max(error.retry, fullJitter(failures, platform.random));
        await new Promise(resolve => platform.setTimeout(() => resolve(0), wait));
      }
    }
  };
  return {
    startRun: (thread, input, { agent, key = newKey() } = {}) =>
      command(`v1/threads/${encodeURIComponent(thread)}/runs`, { input, agent }, { 'Idempotency-Key': key }),
    cancel: run => command(`v1/runs/${encodeURIComponent(run)}/cancel`, {}),
  };
};
