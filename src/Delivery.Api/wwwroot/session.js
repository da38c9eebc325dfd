const patience = 15_000;

/** Where the service is: it serves this file, at whatever prefix. */
export const service = new URL('.', import.meta.url).href;

/**
 * Tokens for a user name, where the server hands them out: in Development and Standalone.
 * @param {string} base of the service
 * @param {string} user
 * @param {new (message: string) => Error} Unavailable thrown where there is none to be had without a person
 * @returns {() => Promise<string>}
 */
export const devTokens = (base, user, Unavailable) => async () => {
  const response = await fetch(new URL('v1/dev/token', base), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ user }),
    signal: AbortSignal.timeout(patience),
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) {
    return answer.token;
  }

  const isFinal = response.status >= 400 && response.status < 500 && response.status !== 429;
  throw new (isFinal ? Unavailable : Error)(answer.detail ?? `The server answered ${response.status}.`);
};
