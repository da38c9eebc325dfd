/** @import { Platform, TokenProvider } from './types.js' */

/** Thrown by a token provider: there is no token to be had without a person. */
export class TokenUnavailable extends Error {}

/**
 * The claims of a JWT, unverified; null for anything else.
 * @param {string} token
 * @returns {Record<string, any>|null}
 */
export function claimsOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' ? claims : null;
  } catch {
    return null;
  }
}

/**
 * Whose token it is: its claims without those that differ from token to token. '' where it doesn't tell.
 * @param {string} token
 */
export function identityOf(token) {
  const { exp, iat, nbf, jti, ...identity } = claimsOf(token) ?? {};
  const entries = Object.entries(identity).sort(([a], [b]) => a < b ? -1 : 1);
  return entries.length > 0 ? JSON.stringify(entries) : '';
}

/**
 * When to ask for the next token, in milliseconds from now: at 80 % of this one's remaining life or a minute before its
 * end, whichever is later. Null where it doesn't tell, or tells by another clock.
 * @param {string} token
 * @param {number} now
 */
export function renewalOf(token, now) {
  const left = (claimsOf(token)?.exp ?? 0) * 1_000 - now;
  return left > 0 ? Math.max(5_000, left * 0.8, left - 60_000) : null;
}

/** The token at hand; the provider is asked for another one, once at a time, when that was refused or is to be renewed. */
export class Tokens {
  #provider;
  /** @type {string|null} */
  #token = null;
  /** @type {Promise<string>|null} */
  #pending = null;

  /** @param {TokenProvider} provider */
  constructor(provider) {
    this.#provider = provider;
  }

  async get() {
    return this.#token ?? this.renew();
  }

  /** @param {string} token the server refused it */
  refuse(token) {
    if (token === this.#token) {
      this.#token = null;
    }
  }

  renew() {
    this.#pending ??= this.#ask().finally(() => { this.#pending = null; });
    return this.#pending;
  }

  async #ask() {
    const token = typeof this.#provider === 'function' ? await this.#provider() : this.#provider;
    this.#token = token;
    return token;
  }
}
