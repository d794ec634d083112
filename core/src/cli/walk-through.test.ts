import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packageFiles } from '../life/service.fixture.js';
import { keelson } from './keelson.fixture.js';

/** Runs the steps that docs give an engineer who has never seen the code. */

function blocksOf(page: string, language: string): string[] {
  const text = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .filter(match => match[1] === language)
    .map(match => match[2] ?? '');
}

const modules = {
  ...packageFiles(
    '@acme/database',
    `import { z } from 'zod';
     const token = Symbol.for('@keelson/database/DatabaseService');
     export default { name: 'db', slot: 'database', provides: [token],
       config: z.object({ url: z.string().meta({ secret: true }), pool: z.object({ max: z.int() }).partial().optional() }),
       register({ bind }) { bind(token).toConstantValue({}); } };`,
  ),
  ...packageFiles('@acme/mail', `export default { name: 'mail' };`),
  'http.js': `import { z } from 'zod';
     const token = Symbol.for('@keelson/core/HttpServer');
     export default { name: 'http', slot: 'http', provides: [token], config: z.object({ port: z.int().min(1).max(65535) }),
       register({ bind }) { bind(token).toConstantValue({}); } };`,
  'orders.js': `export default { name: 'orders' };`,
};

test('five mistakes in a configuration are reported at once, as docs/configuration.md shows, and fixed together', async () => {
  const broken = blocksOf('configuration.md', 'yaml').at(-1) ?? '';
  const shown = blocksOf('configuration.md', 'text').at(-1) ?? '';
  const { '@acme/mail': _gone, ...installed } = modules as Record<string, string | object>;
  const without = Object.fromEntries(Object.entries(installed).filter(([file]) => !file.includes('@acme/mail')));
  const wrong = await keelson({ ...without, 'keelson.yaml': broken }, ['check']).ended;
  expect(wrong.code).toBe(1);
  expect(wrong.err.trimEnd()).toBe(shown.trimEnd());

  const mended = broken.replace('mxa', 'max').replace('eighty', '80').replace('ordrs', 'orders');
  const right = await keelson({ ...modules, 'keelson.yaml': mended }, ['check'], { DATABASE_URL: 'x' }).ended;
  expect(right.err).toBe('');
  expect(right.code).toBe(0);
});

test('which plugin makes the start slow can be read from the start report', async () => {
  const files = {
    'keelson.yaml': { service: 'shop', plugins: { quick: { use: './quick.js' }, slow: { use: './slow.js' } } },
    'quick.js': `export default { name: 'quick' };`,
    'slow.js': `export default { name: 'slow', start: ({ clock, signal }) => clock.sleep(300, signal) };`,
  };
  const run = keelson(files, ['start', '--json']);
  await run.until('"outcome"');
  run.child.kill('SIGTERM');
  const report = JSON.parse((await run.ended).out.split('\n')[0] ?? '');
  const slowest = report.plugins.toSorted((a: { startMs: number }, b: { startMs: number }) => b.startMs - a.startMs)[0];
  expect(slowest.key).toBe('slow');
  expect(slowest.startMs).toBeGreaterThanOrEqual(299);
});

test('a logger from the template swaps in by configuration alone', async () => {
  const { folder, ended } = keelson({}, ['new', 'plugin', 'console-logger', '--slot', 'logger']);
  await ended;
  const files = {
    'keelson.yaml': {
      plugins: { logger: { use: folder.path('console-logger/index.js') }, hello: { use: './hello.js' } },
    },
    'hello.js': `export default { name: 'hello', start: ({ logger }) => logger.info('good morning') };`,
  };
  const run = keelson(files, ['start']);
  await run.until('good morning');
  run.child.kill('SIGTERM');
  const line = JSON.parse((await run.ended).out.split('\n')[0] ?? '');
  expect(line).toMatchObject({ level: 'info', message: 'good morning', plugin: 'hello' });
});
