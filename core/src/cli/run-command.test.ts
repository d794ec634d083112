import { describe, expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const files = {
  'keelson.yaml': {
    service: 'shop',
    plugins: { store: { use: './store.js' }, other: { use: './other.js' }, shop: { use: './shop.js' } },
  },
  'store.js': `
    export const Store = Symbol.for('test/Store');
    export default { name: 'store', provides: [Store], register: ({ bind }) => void bind(Store).toConstantValue({ name: 'the store' }),
      start: ({ serving }) => { console.log('store started, serving ' + serving); return { stop: () => console.log('store stopped') }; } };`,
  'other.js': `export default { name: 'other', start: () => console.log('other started') };`,
  'shop.js': `
    import { z } from 'zod';
    const load = () => import('./import.js');
    const words = z.strictObject({
      file: z.string().describe('what is imported'), batchSize: z.int().min(1).optional().describe('rows at a time'), dryRun: z.boolean().default(false) });
    export default { name: 'shop', requires: [Symbol.for('test/Store')],
      start: () => { console.log('shop started'); },
      commands: {
        import: { description: 'Imports a file.', arguments: words, load },
        wait: { description: 'Waits.', arguments: z.strictObject({}), load: () => import('./wait.js') },
      } };`,
  'import.js': `
    export async function run(given, { container, out, progress }) {
      progress('half of it');
      out(container.get(Symbol.for('test/Store')).name + ' ' + JSON.stringify(given));
    }`,
  'wait.js': `
    import { KeelsonError } from '@keelson/core';
    export const run = (_given, { signal, out }) => new Promise((_resolve, reject) => {
      setInterval(() => {}, 1000);
      signal.addEventListener('abort', () => reject(new KeelsonError({ code: 'SHOP_STOPPED', message: '3 rows are stored.' })));
      out('waiting');
    });`,
};

describe('keelson run', () => {
  test('lists the commands of the plugins, and starts nothing', async () => {
    const all = await keelson(files, ['run']).ended;
    expect(all).toMatchObject({ code: 0, err: '' });
    expect(all.out).toBe(`keelson run shop import <file> [--batch-size <batch-size>] [--dry-run]
    Imports a file.
      <file>  what is imported
      --batch-size <batch-size>  rows at a time
keelson run shop wait
    Waits.
`);
    const json = await keelson(files, ['run', '--json', 'shop', 'wait', '--help']).ended;
    expect(JSON.parse(json.out)).toEqual([{ plugin: 'shop', name: 'wait', description: 'Waits.' }]);
  });

  test('runs a command on its plugin and what that needs, and stops them', async () => {
    const words = ['run', '--config', 'keelson.yaml', 'shop', 'import', '--batch-size', '10', 'a.csv'];
    const { code, out } = await keelson(files, words).ended;
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      'store started, serving false',
      'shop started',
      'half of it',
      'the store {"file":"a.csv","batchSize":10,"dryRun":false}',
      'store stopped',
      '',
    ]);
  });

  test.each([
    [['shop', 'import'], 'CLI_USAGE_INVALID', /file/],
    [['shop', 'import', 'a', 'b'], 'CLI_USAGE_INVALID', /does not take b/],
    [['shop', 'import', 'a', '--batch-size', 'many'], 'CLI_USAGE_INVALID', /batchSize/],
    [['shop', 'import', 'a', '--size', '1'], 'CLI_USAGE_INVALID', /--size/],
    [['shop', 'imprt', 'a'], 'CLI_COMMAND_UNKNOWN', /Did you mean shop import\?/],
    [['mail', 'send'], 'CLI_COMMAND_UNKNOWN', /Available: shop import, shop wait\./],
  ])('refuses %j with exit code 2, and starts nothing', async (words, code, text) => {
    const refused = await keelson(files, ['run', '--json', ...words]).ended;
    expect(refused.code).toBe(2);
    expect(JSON.parse(refused.out).error.code).toBe(code);
    expect(refused.err).toMatch(text);
    expect(refused.out).not.toContain('started');
  });

  test('ends a command in order at Ctrl-C, and prints what it says', async () => {
    const running = keelson(files, ['run', 'shop', 'wait']);
    await running.until('waiting');
    running.child.kill('SIGINT');
    const { code, out, err } = await running.ended;
    expect(code).toBe(1);
    expect(err).toContain('3 rows are stored.');
    expect(out).toMatch(/store stopped\n$/);
  });

  test('a command that is none is a problem of the plan', async () => {
    const wrong = {
      ...files,
      'shop.js': `export default { name: 'shop', commands: { import: { description: 'x' } } };`,
    };
    const { code, err } = await keelson(wrong, ['check']).ended;
    expect(code).toBe(1);
    expect(err).toContain('its command import needs `description`, `arguments` (a zod schema) and `load`');
  });
});
