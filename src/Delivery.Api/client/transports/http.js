/** @import { LinkOptions, Platform, Read } from '../types.js' */

/** @param {Platform} platform @param {URL} url @param {RequestInit} init */
export const request = ({ fetch }, url, { headers, ...init }, token = '') =>
  fetch(url, { ...init, cache: 'no-store', headers: { ...headers, Authorization: `Bearer ${token}` } });

/** In ms (RFC 9110, 10.2.3). @param {Response} response */
export const retryAfter = ({ headers }, now = 0) => {
  const text = headers.get('Retry-After') ?? '';
  return +text * 1_000 || Math.max(0, Date.parse(text) - now) || 0;
};

/** Close codes that say the same. @type {Record<number, number>} */
const codes = { 400: 1008, 401: 4401, 403: 4403, 404: 4404, 429: 1013, 503: 1013 };

/** @param {Response} response */
export const closeOf = (response, now = 0) => ({ code: codes[response.status], retry: retryAfter(response, now) });

/** @param {string} url @param {Record<string, any>} query */
export const withQuery = (url, query) => {
  const target = new URL(url);
  for (const [name, value] of Object.entries(query)) if (value != null) target.searchParams.set(name, value);
  return target;
};

/** A cursor beside a client id would be its ack (PROTOCOL.md, section 2). @type {Read} */
export const read = ({ url, platform, token, client }, init, after, wait = 0) =>
  request(platform, withQuery(url, { after, client: after ? null : client, wait }), init, token()).catch(() => null);

/** @param {LinkOptions} options @returns {(frame: any) => void} */
export const ackOver = ({ url, platform, token, client }) => ({ type, cursor }) => {
  if (type !== 'ack') return;
  request(platform, withQuery(url, { after: cursor, client, limit: 1 }), { keepalive: true }, token()).catch(() => { });
};
