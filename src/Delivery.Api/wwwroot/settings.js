/** What the page keeps between visits. A browser that forbids storage loses comfort, not function. */

export function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage is full or forbidden.
  }
}

/**
 * Takes the token of `#token=…` out of the address at once, so that it is neither bookmarked nor shared. It is kept
 * for this tab: it outlives a reload. Null when the address holds none.
 */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) {
    return null;
  }

  history.replaceState(null, '', location.pathname + location.search);
  try {
    sessionStorage.setItem('token', token);
  } catch {
    // Then it serves until the next reload.
  }

  return token;
}

/** The token this tab was given earlier, or null. */
export function recallToken() {
  try {
    return sessionStorage.getItem('token');
  } catch {
    return null;
  }
}

/** The tab's token was refused: the next visit must not try it again. */
export function forgetToken() {
  try {
    sessionStorage.removeItem('token');
  } catch {
    // Then it was not kept either.
  }
}
