/** A new element. Text is always text, never markup. */
export function element(tag, properties = {}, ...children) {
  const { data = {}, ...rest } = properties;
  const created = Object.assign(document.createElement(tag), rest);
  Object.assign(created.dataset, data);
  created.append(...children);
  return created;
}

/** Changes text only where it differs, so that a selection or a screen reader in it is left alone. */
export function setText(target, text) {
  const node = target.firstChild;
  if (node === null) {
    target.append(text);
  } else if (node.data !== text) {
    text.startsWith(node.data) ? node.appendData(text.slice(node.data.length)) : (node.data = text);
  }
}

/** A time span for people; null when either end is unknown. */
export function duration(from, to) {
  const milliseconds = Date.parse(to) - Date.parse(from);
  if (!(milliseconds >= 0)) {
    return null;
  }

  if (milliseconds < 1_000) {
    return `${milliseconds} ms`;
  }

  const seconds = milliseconds / 1_000;
  return seconds < 60
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
