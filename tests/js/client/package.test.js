import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const folder = fileURLToPath(new URL('../../../src/Delivery.Api/client', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));
const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

const compile = (...given) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, ...given], { cwd: here, encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
};

/** In the order in which a browser that was given index.js asks for them. */
function modules() {
  const names = ['index.js'];
  for (const name of names) {
    for (const [, found] of readFileSync(join(folder, name), 'utf8').matchAll(/^(?:import|export) .* from '(.+)';$/gm)) {
      const path = join(name, '..', found);
      names.includes(path) || names.push(path);
    }
  }

  return names;
}

test('the types of the library hold, strictly, and are what a page is promised', () => {
  compile('--project', 'check.json');
});

test('what is packed stands alone: modules, and declarations that hold without them', () => {
  const target = mkdtempSync(join(tmpdir(), 'agent-events-'));
  try {
    compile('--project', 'emit.json', '--outDir', target);
    for (const name of ['types.d.ts', 'agent-events.d.ts']) {
      copyFileSync(join(folder, name), join(target, name));
    }

    compile('--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', join(target, 'agent-events.d.ts'));
    assert.match(readFileSync(join(target, 'index.d.ts'), 'utf8'), /connect: \(options: Options, platform\?: Platform\) => AgentEvents/);
  } finally {
    rmSync(target, { recursive: true });
  }
});

test('every served module is one that index.js leads to', () => {
  const served = readdirSync(folder, { recursive: true }).filter(name => name.endsWith('.js'));
  assert.deepEqual(modules().sort(), served.sort());
});

const gzipped = text => gzipSync(text, { level: 9 }).length;

test('the whole library is no more than 10 KB, bundled, minified and gzipped, and 15 KB as it is served, comments and all', async context => {
  const { outputFiles: [bundle] } = await build({ entryPoints: [join(folder, 'index.js')], bundle: true, minify: true, format: 'esm', write: false });
  const sizes = { bundled: gzipped(bundle.contents), served: gzipped(modules().map(name => readFileSync(join(folder, name))).join('\n')) };
  context.diagnostic(JSON.stringify(sizes));
  assert.ok(sizes.bundled <= 10 * 1024 && sizes.served <= 15 * 1024, JSON.stringify(sizes));
});

test('the package has no dependency and names what it holds', () => {
  assert.equal(manifest.name, 'agent-events');
  assert.equal(manifest.dependencies, undefined);
  assert.deepEqual([manifest.type, manifest.sideEffects], ['module', false]);
});
