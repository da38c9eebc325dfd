/** @import { TokenProvider, Tokens } from './types.js' */

/** Ask a person. */
export class TokenUnavailable extends Error { }

/** Of a JWT, unverified. @returns {Record<string, any>} */
const claimsOf = (token = '') => {
  try {
    const bytes = atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, byte => byte.charCodeAt(0))));
  } catch {
    return {};
  }
};

export const identityOf = (token = '') => {
  const { exp, iat, nbf, jti, ...identity } = claimsOf(token);
  return Object.keys(identity).sort().map(name => JSON.stringify([name, identity[name]])).join();
};

/** In ms; NaN: it does not say, or by another clock. */
export const renewalOf = (token = '', now = 0) => {
  const left = claimsOf(token).exp * 1_000 - now;
  return left > 0 ? Math.max(5_000, left * 0.8, left - 60_000) : NaN;
};

/** @param {TokenProvider} provider @param {() => number} now @returns {Tokens} */
export const tokensOf = (provider, now) => {
  let known = '', gotAt = 0;
  /** @type {Promise<string>=} */
  let pending;
  const ask = async () => {
    known = typeof provider === 'function' ? await provider() : provider;
    gotAt = now();
    return known;
  };
  const renew = () => pending ??= ask().finally(() => { pending = undefined; });
  return {
    get: async () => known || renew(),
    renew,
    refuse(token) {
      if (token !== known) return false;
      known = '';
      // An older one may have ended meanwhile.
      return now() - gotAt <= 10_000;
    },
  };
};
