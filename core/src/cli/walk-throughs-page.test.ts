import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packageFiles } from '../life/service.fixture.js';
import { keelson } from './keelson.fixture.js';

/** The sections of docs/walk-throughs.md, each with its blocks; the one of five mistakes is in walk-through.test.ts. */
const page = readFileSync(new URL('../../../docs/walk-throughs.md', import.meta.url), 'utf8');
const [, production = '', , slow = '', logger = ''] = page.split(/^## /m);
const blocksOf = (section: string) => [...section.matchAll(/```\w+\n([\s\S]*?)```/g)].map(([, block]) => block ?? '');

/** What a block shows after each `$ keelson ...`. */
function shown(block: string): { readonly words: string[]; readonly output: string }[] {
  return [...block.matchAll(/^\$ keelson (.*)\n((?:(?!\$ ).*\n)*)/gm)].map(([, words = '', output = '']) => ({
    words: words.split(' '),
    output: output.trimEnd(),
  }));
}

const withoutTimes = (text: string) => text.replaceAll(/ +\d+ ms/g, ' # ms');

test('the page shows which values run in production, and why', async () => {
  const [development = '', inProduction = '', asked = ''] = blocksOf(production);
  const files = {
    'keelson.yaml': development,
    'keelson.production.yaml': inProduction,
    ...packageFiles('@acme/mail', `export default { name: 'mail' };`),
    ...packageFiles(
      '@acme/bulk-mail',
      `import { z } from 'zod';
       export default { name: 'bulk-mail', config: z.object({ url: z.string().meta({ secret: true }) }) };`,
    ),
    'orders.js': `import { z } from 'zod';
      export default { name: 'orders', config: z.object({ pageSize: z.int().max(100).default(10) }) };`,
  };
  const variables = { MAIL_URL: 'https://me:hunter2@mail.example.com' };
  const questions = shown(asked);
  expect(questions).toHaveLength(2);
  for (const { words, output } of questions) {
    const { code, out } = await keelson(files, words, variables).ended;
    expect(out.trimEnd()).toBe(output);
    expect(code).toBe(0);
  }
  const { code, out } = await keelson(files, ['check', '--environment', 'production'], variables).ended;
  expect(code).toBe(0);
  expect(out).toContain('shop (production): the plan is valid');
});

test('which plugin makes the start slow', async () => {
  const [report = ''] = blocksOf(slow);
  const files = {
    'keelson.yaml': {
      service: 'shop',
      plugins: { orders: { use: './orders.js' }, prices: { use: './prices.js' }, stock: { use: './stock.js' } },
    },
    'orders.js': `export default { name: 'orders' };`,
    'stock.js': `export default { name: 'stock', start() { const until = performance.now() + 500; while (performance.now() < until); } };`,
    'prices.js': `export default { name: 'prices', start: ({ clock, signal }) => clock.sleep(300, signal) };`,
  };
  const [{ words, output } = { words: [], output: 'nothing is shown' }] = shown(report);
  const run = keelson(files, words);
  await run.until('./stock.js');
  run.child.kill('SIGTERM');
  const { err } = await run.ended;
  expect(withoutTimes(err)).toContain(withoutTimes(output));
  const own = (key: string) => Number(new RegExp(`${key} +(\\d+) ms`).exec(err)?.[1]);
  expect(own('orders')).toBeLessThan(own('stock'));
});

test('a logger of your own, proven, and the failed case of a wrong logger', async () => {
  const [proof = '', swap = ''] = blocksOf(logger);
  const [make, prove] = shown(proof);
  const made = keelson({}, make?.words ?? []);
  expect((await made.ended).code).toBe(0);
  const folder = made.folder.path('console-logger');
  const whole = await keelson({}, ['verify', folder]).ended;
  for (const line of prove?.output.split('\n') ?? []) expect(whole.out.split('\n')).toContain(line);
  expect(whole.code).toBe(0);

  const source = readFileSync(`${folder}/index.js`, 'utf8');
  const forgetful = source.replace('createLogger(level, { ...facts, ', 'createLogger(level, { ');
  expect(forgetful).not.toBe(source);
  made.folder.write('console-logger/index.js', forgetful);
  const broken = await keelson({}, ['verify', folder]).ended;
  expect(broken.code).toBe(1);
  const failed = /fails `(writes [^`]+)`/.exec(logger)?.[1]?.replaceAll(/\s+/g, ' ');
  expect(broken.out).toContain(`FAIL  ${failed}`);
  expect(swap).toContain('logger: { use: "./console-logger/index.js" }');
});
