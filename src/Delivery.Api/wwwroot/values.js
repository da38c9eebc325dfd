import { element } from './dom.js';
import { bytes } from './format.js';

const mostShown = 4_000;

export const pretty = value => typeof value === 'string' ? value : JSON.stringify(value, null, 2);

/**
 * The first characters of a value on one line, without writing all of a large one.
 * @param {any} value
 * @param {number} most
 */
export function preview(value, most = 200) {
  const text = typeof value === 'string' ? value.slice(0, most + 1).replace(/\s+/g, ' ')
    : write(value, most + 1).replace(/^\{(.+)\}$/s, '$1');
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

function write(value, most) {
  if (typeof value === 'string') {
    return JSON.stringify(value.slice(0, most));
  }

  if (value === null || typeof value !== 'object') {
    return String(value);
  }

  const isList = Array.isArray(value);
  const parts = [];
  let length = 0;
  for (const [name, part] of isList ? value.entries() : Object.entries(value)) {
    parts.push(`${isList ? '' : `${name}: `}${write(part, most)}`);
    length += parts.at(-1).length;
    if (length > most) {
      break;
    }
  }

  return isList ? `[${parts.join(', ')}]` : `{${parts.join(', ')}}`;
}

/** A titled value; what is long begins clipped. */
export function block(title, value) {
  const text = pretty(value);
  const pre = element('pre', { tabIndex: 0 });
  pre.setAttribute('role', 'group');
  pre.setAttribute('aria-label', title);
  return [element('p', { className: 'label', textContent: title }), pre, ...clipped(pre, text, mostShown)];
}

/** Fills a target with a text. Where that is long, with its beginning and, returned, a button that shows all. */
export function clipped(target, text, most) {
  if (text.length <= most) {
    target.textContent = text;
    return [];
  }

  target.textContent = `${text.slice(0, most)}…`;
  const all = element('button', { type: 'button', className: 'quiet show-all', textContent: `Show all ${bytes(text.length)}` });
  all.addEventListener('click', () => {
    target.replaceChildren(...inParts(text));
    target.tabIndex = 0;
    target.focus();
    all.remove();
  });
  return [all];
}

/** Parts of a long text, each laid out only when it comes into sight. */
const inParts = text => (text.match(/[^]{1,8000}(?:\n|$)|[^]{1,8000}/g) ?? [])
  .map(part => element('span', { className: 'part', textContent: part }));
