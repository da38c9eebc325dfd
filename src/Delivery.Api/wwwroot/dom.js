export const find = id => document.getElementById(id);

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
    text !== '' && target.append(text);
  } else if (node.data !== text) {
    text.startsWith(node.data) ? node.appendData(text.slice(node.data.length)) : (node.data = text);
  }
}
