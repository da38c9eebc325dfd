import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const root = new URL('../../src/Delivery.Api/wwwroot/', import.meta.url);

/** The modules that a page loads, without the library. */
function loaded(entry, found = new Map()) {
  if (!found.has(entry.href) && entry.href.startsWith(root.href) && !entry.href.startsWith(`${root.href}client/`)) {
    const text = readFileSync(entry, 'utf8');
    found.set(entry.href, text);
    for (const [, path] of text.matchAll(/^(?:import|export) .*?from '(\..+?)';$/gms)) {
      loaded(new URL(path, entry), found);
    }
  }

  return found;
}

for (const page of ['app.js', 'inspect/inspect.js']) {
  test(`${page} and what it loads are at most 20 KB`, t => {
    const texts = [...loaded(new URL(page, root)).values(), readFileSync(new URL('theme.js', root), 'utf8')];
    const size = gzipSync(texts.join(''), { level: 9 }).length;
    t.diagnostic(`${size} bytes gzipped, ${texts.length} modules`);
    assert.ok(texts.length > 10);
    assert.ok(size <= 20 * 1024, `${size} bytes`);
  });
}
