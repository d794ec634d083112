import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const plugin = (name: string, slot: string) => ({
  [`node_modules/${name}/package.json`]: {
    name,
    version: '1.2.3',
    type: 'module',
    exports: { '.': './index.js', './manifest': './manifest.js' },
  },
  [`node_modules/${name}/manifest.js`]: `export default { name: 'a', slot: '${slot}', provides: [Symbol.for('@keelson/core/${slot === 'logger' ? 'Logger' : 'Telemetry'}')] };`,
  [`node_modules/${name}/index.js`]: `throw new Error('the plugin itself is not needed');`,
});

const names = ['@acme/loud-logger', '@acme/quiet-logger', '@acme/telemetry', '@acme/no-plugin', '@acme/gone'];
const service = {
  'package.json': { name: 'shop', type: 'module', dependencies: Object.fromEntries(names.map(name => [name, '1'])) },
  'keelson.yaml': { service: 'shop', plugins: { logger: { use: '@acme/loud-logger' } } },
  ...plugin('@acme/loud-logger', 'logger'),
  ...plugin('@acme/quiet-logger', 'logger'),
  ...plugin('@acme/telemetry', 'telemetry'),
  'node_modules/@acme/no-plugin/package.json': { name: '@acme/no-plugin', main: 'index.js' },
  'node_modules/@acme/no-plugin/index.js': '',
};

test('keelson explain names what is installed and not chosen, also for a slot that nothing fills', async () => {
  const { code, out } = await keelson(service, ['explain']).ended;
  expect(code).toBe(0);
  expect(out).toMatch(
    /logger: @acme\/loud-logger 1\.2\.3 {2}\(keelson\.yaml:\d+:\d+\)\n {2}installed and not chosen: @acme\/quiet-logger 1\.2\.3/,
  );
  expect(out).toContain(
    'telemetry: silent telemetry  (nothing is configured)\n  installed and not chosen: @acme/telemetry 1.2.3',
  );
  expect(out).not.toMatch(/no-plugin|gone/);
});

test('keelson explain of one slot names those of that slot, and JSON has them', async () => {
  const { out } = await keelson(service, ['explain', 'telemetry']).ended;
  expect(out).toBe(
    'telemetry: silent telemetry  (nothing is configured)\n  installed and not chosen: @acme/telemetry 1.2.3\n',
  );
  const json = JSON.parse((await keelson(service, ['explain', 'logger', '--json']).ended).out);
  expect(json.groups).toMatchObject([
    { notChosen: [{ name: '@acme/quiet-logger', version: '1.2.3', slot: 'logger' }] },
  ]);
});
