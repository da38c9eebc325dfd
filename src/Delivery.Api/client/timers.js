/** @import { Platform } from './types.js' */

/** @param {Platform} platform */
export const timers = ({ setTimeout, clearTimeout }) => {
  /** @type {Record<string, any>} */
  const all = {};
  return {
    after(name = '', milliseconds = 0, run = () => { }) {
      clearTimeout(all[name]);
      all[name] = setTimeout(run, milliseconds);
    },
    clear: () => Object.values(all).forEach(clearTimeout),
  };
};
