import { fullJitter } from './backoff.js';

const requestTimeout = 15_000;
const tries = 6;

/** An answer that says what was wrong and what to do (application/problem+json). Status 0: there was no answer. */
export class ApiProblem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The server hands out no tokens, and the one at hand, if any, is not accepted. */
export class TokenNeeded extends Error {}

/** A fresh id. `crypto.randomUUID` exists on HTTPS and localhost only; this works on a plain LAN address too. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}

/** A token that came with the page's address. Once refused it is of no use, and nobody else's is taken instead. */
export class GivenToken {
  #token; #onRefused;

  constructor(token, onRefused = () => {}) {
    this.#token = token;
    this.#onRefused = onRefused;
  }

  async token() {
    if (this.#token === null) {
      throw new TokenNeeded('The token was refused.');
    }

    return this.#token;
  }

  forget(token) {
    if (this.#token === token) {
      this.#token = null;
      this.#onRefused();
    }
  }
}

/** Tokens for a user name, where the server hands them out: in Development and Standalone. */
export class DevToken {
  #url; #user; #token = null; #pending = null;

  constructor(url, user) {
    this.#url = new URL('v1/dev/token', url);
    this.#user = user;
  }

  async token() {
    if (this.#token === null) {
      this.#pending ??= this.#fetch().finally(() => { this.#pending = null; });
      this.#token = await this.#pending;
    }

    return this.#token;
  }

  /** The server refused this token: the next one asked for is a new one. */
  forget(token) {
    if (this.#token === token) {
      this.#token = null;
    }
  }

  async #fetch() {
    const response = await post(this.#url, { user: this.#user });
    if (response.status === 404 || response.status === 405) {
      throw new TokenNeeded('This server hands out no tokens.');
    }

    if (!response.ok) {
      throw await problemOf(response);
    }

    return (await response.json()).token;
  }
}

/** Commands. Each may be sent twice without being done twice, so each is retried until it was answered. */
export class Api {
  #url; #session;

  constructor(url, session) {
    this.#url = url;
    this.#session = session;
  }

  /** @param {string} key the same for every try of the same request */
  startRun(thread, input, key) {
    return this.#command(`v1/threads/${encodeURIComponent(thread)}/runs`, { input }, { 'Idempotency-Key': key });
  }

  cancelRun(run) {
    return this.#command(`v1/runs/${encodeURIComponent(run)}/cancel`, {}, {});
  }

  async #command(path, body, headers) {
    for (let failures = 0; ; failures++) {
      try {
        return await this.#send(path, body, headers);
      } catch (error) {
        if (!isPassing(error) || failures === tries - 1) {
          throw error;
        }

        await delay(Math.max(error.retryAfter ?? 0, fullJitter(failures)));
      }
    }
  }

  async #send(path, body, headers) {
    const token = await this.#session.token();
    const response = await post(new URL(path, this.#url), body, { ...headers, Authorization: `Bearer ${token}` });
    if (response.status === 401) {
      this.#session.forget(token);
    }

    if (!response.ok) {
      throw await problemOf(response);
    }

    return response.json().catch(() => null);
  }
}

const isPassing = error => error instanceof ApiProblem && [0, 401, 429, 502, 503, 504].includes(error.status);

async function post(url, body, headers = {}) {
  try {
    return await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(requestTimeout),
    });
  } catch {
    throw new ApiProblem(0, 'The server could not be reached. Try again in a moment.');
  }
}

async function problemOf(response) {
  const problem = await response.json().catch(() => ({}));
  const error = new ApiProblem(
    response.status, problem.detail || problem.title || `The server answered ${response.status}.`);
  error.retryAfter = Math.min(Number(response.headers.get('Retry-After')) || 0, 5) * 1_000;
  return error;
}

const delay = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));
