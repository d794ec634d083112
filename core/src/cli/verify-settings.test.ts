import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const files = {
  'mail.js': `
    import { z } from 'zod';
    const config = z.object({ url: z.url(), pool: z.object({ max: z.int(), shared: z.boolean() }) });
    export default {
      name: 'mail',
      config,
      start({ config: { pool } }) { if (pool.max !== 4 || pool.shared !== true) throw new Error('not as set'); },
      async conformance() {
        return start => [{ name: 'carries mail', async run() {
          const kernel = await start();
          await kernel.stop();
          return 'passed';
        } }];
      },
    };`,
};
const set = ['--set', 'url=https://mail.example.com/?a=b', '--set', 'pool.max=4', '--set', 'pool.shared=true'];

test('--set gives values that the schema reads, and the suite that the plugin brings is run', async () => {
  const { code, out } = await keelson(files, ['verify', './mail.js', ...set]).ended;
  expect(out).not.toContain('FAIL');
  expect(out).toContain('ok    carries mail');
  expect(code).toBe(0);
});

test('--set without a value is refused: CLI_VALUES_INVALID', async () => {
  const { code, err } = await keelson(files, ['verify', './mail.js', '--set', 'url']).ended;
  expect(code).toBe(2);
  expect(err).toContain('CLI_VALUES_INVALID');
  expect(err).toContain('Write it as --set key=value');
});
