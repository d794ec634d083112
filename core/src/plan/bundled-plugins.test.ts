import { expect, test } from 'vitest';
import { z } from 'zod';
import { definePlugin } from '../contract/plugin.js';
import { Kernel } from '../life/kernel.js';
import { testServiceFolder } from '../life/service.fixture.js';

const hello = definePlugin({
  name: 'hello',
  config: z.strictObject({ times: z.int().default(1) }),
});

function planOf(plugins: object, loaded: string[] = []) {
  const folder = testServiceFolder({
    'keelson.yaml': { plugins },
    'installed.js': 'export default { name: "hello" };',
  });
  const modules = {
    './hello.js': hello,
    '@acme/late': async () => {
      loaded.push('@acme/late');
      return { default: definePlugin({ name: 'late' }) };
    },
  };
  return Kernel.plan({ config: folder.config, variables: { KEELSON_HELLO__TIMES: '3' }, modules });
}

test('plugins of a bundle are chosen by what `use` names, and take their values from files and variables', async () => {
  const loaded: string[] = [];
  const plan = await planOf({ hello: { use: './hello.js', times: 2 } }, loaded);
  expect(plan.problems).toEqual([]);
  expect(plan.plugins.map(({ use, source, config }) => ({ use, source, config }))).toEqual([
    { use: './hello.js', source: 'code', config: { times: 3 } },
  ]);
  expect(loaded).toEqual([]);
  expect((await planOf({ hello: { use: './hello.js' }, late: { use: '@acme/late' } }, loaded)).problems).toEqual([]);
  expect(loaded).toEqual(['@acme/late']);
});

test('what a bundle does not contain is a problem, although it is installed, with what was probably meant', async () => {
  const { problems } = await planOf({ hello: { use: './installed.js' }, late: { use: '@acme/lat' } });
  expect(problems).toMatchObject([
    { code: 'PLUGIN_NOT_BUNDLED', value: './installed.js', allowed: './hello.js, @acme/late, none' },
    { code: 'PLUGIN_NOT_BUNDLED', value: '@acme/lat', nearest: '@acme/late' },
  ]);
});
