/** @import { Close, LinkOptions } from '../types.js' */

/** The close code of PROTOCOL.md, section 8, that says the same as a status. */
const codes = new Map([[400, 1008], [401, 4401], [403, 4403], [404, 4404], [429, 1013], [503, 1013]]);

/**
 * @param {Response} response
 * @param {number} now
 * @returns {number} milliseconds that it asks to wait (RFC 9110, 10.2.3)
 */
export function retryAfter(response, now) {
  const text = response.headers.get('Retry-After') ?? '';
  return Math.max(0, /^\d+$/.test(text) ? Number(text) * 1_000 : (Date.parse(text) || now) - now);
}

/**
 * @param {Response} response
 * @param {number} now
 * @returns {Close}
 */
export const closeOf = (response, now) => ({ code: codes.get(response.status), retry: retryAfter(response, now) });

/**
 * @param {string} url
 * @param {Record<string, string|number|null|undefined>} query
 */
export function withQuery(url, query) {
  const target = new URL(url);
  for (const [name, value] of Object.entries(query)) {
    value != null && target.searchParams.set(name, String(value));
  }

  return target;
}

/**
 * @param {LinkOptions} options
 * @param {string} accept
 * @param {Record<string, string|number|null|undefined>} query
 * @param {RequestInit} [init]
 */
export const read = ({ url, platform, token }, accept, query, init) => platform.fetch(withQuery(url, query), {
  ...init, cache: 'no-store', headers: { Accept: accept, Authorization: `Bearer ${token()}` },
});

/**
 * Over HTTP a cursor beside a client id is that client's ack (PROTOCOL.md, section 2).
 * @param {LinkOptions} options
 */
export const ackOver = options => (/** @type {any} */ frame) => {
  if (frame.type === 'ack') {
    read(options, 'application/json', { after: frame.cursor, client: options.client, limit: 1 }, { keepalive: true })
      .then(response => response.body?.cancel(), () => { });
  }
};
