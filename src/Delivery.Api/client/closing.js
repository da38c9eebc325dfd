/** What each close code asks of the reader (PROTOCOL.md, section 8); any other one: reconnect. */
const policy = new Map([
  [4401, 'token'],
  [4403, 'refused'], [4404, 'refused'],
  [4409, 'replaced'],
  [1007, 'defect'], [1008, 'defect'], [1009, 'defect'],
]);

/**
 * @param {number} [code]
 * @returns {string} 'retry', 'token' (get a new one), or the reason to give up
 */
export const afterClose = code => policy.get(code ?? 0) ?? 'retry';

/**
 * Whether a connection that ended unready speaks against its transport: a code of the service's own says that it got through.
 * @param {number} [code]
 */
export const isUnheard = code => !code || (code < 4_000 && ![1007, 1008, 1009, 1012, 1013].includes(code));
