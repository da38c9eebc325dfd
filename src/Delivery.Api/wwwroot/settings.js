/** What the page keeps between visits. A browser that forbids storage loses comfort, not function. */
const attempt = act => {
  try {
    return act();
  } catch {
    return null;
  }
};

export const recall = name => attempt(() => localStorage.getItem(name));

export const remember = (name, value) => attempt(() => localStorage.setItem(name, value));

/**
 * Takes the token of `#token=…` out of the address at once, so that it is neither bookmarked nor shared. It is kept
 * for this tab: it outlives a reload. Null when the address holds none.
 */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token !== null) {
    history.replaceState(null, '', location.pathname + location.search);
    attempt(() => sessionStorage.setItem('token', token));
  }

  return token;
}

/** The token this tab was given earlier, or null. */
export const recallToken = () => attempt(() => sessionStorage.getItem('token'));

/** The tab's token was refused: the next visit must not try it again. */
export const forgetToken = () => attempt(() => sessionStorage.removeItem('token'));
