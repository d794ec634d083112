// Builds the page into dist/page. Does nothing while neither its sources nor its tools have changed.
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const output = join(root, 'dist/page');
const stamp = join(output, '.built');
const hash = hashOfSources();

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hash) {
  const { build } = await import('vite');
  await build({ root: join(root, 'page'), configFile: join(root, 'page/vite.config.mjs'), logLevel: 'warn' });
  writeFileSync(stamp, hash);
}

function hashOfSources() {
  const require = createRequire(import.meta.url);
  const tools = ['vite/package.json', 'preact/package.json'].map(name => readFileSync(require.resolve(name), 'utf8'));
  const files = [...globSync('page/**/*.*', { cwd: root }).sort(), 'src/model.ts', 'build-page.mjs'];
  const digest = createHash('sha256');
  for (const file of files) digest.update(file).update(readFileSync(join(root, file)));
  for (const tool of tools) digest.update(JSON.parse(tool).version);
  return digest.digest('hex');
}
