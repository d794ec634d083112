import { describe, expect, test } from 'vitest';
import { systemClock } from '../contract/clock.js';
import { packageFiles, type ServiceFolder, serviceFolder } from '../life/service.fixture.js';
import { makePlan } from './make-plan.js';

const manifest = (name: string) => `export default { name: '${name}' };`;
const packageFile = (name: string, version: string, more: object = {}) =>
  JSON.stringify({ name, version, type: 'module', exports: './index.js', ...more });

async function duplicatesIn(folder: ServiceFolder) {
  const { problems } = await makePlan({
    directory: folder.directory,
    config: folder.config,
    environment: undefined,
    variables: {},
    overrides: {},
    plugins: {},
    clock: systemClock,
  });
  return problems.filter(({ code }) => code === 'PLAN_PACKAGE_DUPLICATE').map(({ message }) => message);
}

describe('packages that all parts of a service share', () => {
  const acme = packageFiles('@acme/store', manifest('store'), manifest('store'));
  const service = { 'keelson.yaml': { plugins: { store: { use: '@acme/store' } } } };
  const acmeWith = (dependencies: Record<string, string>) => ({
    'node_modules/@acme/store/package.json': packageFile('@acme/store', '1.2.3', {
      exports: { '.': './main.js', './manifest': './manifest.js' },
      dependencies,
    }),
  });

  test('are one copy when all find the same', async () => {
    using folder = serviceFolder({ ...service, ...acme, ...acmeWith({ '@keelson/core': '*', zod: '*' }) });
    expect(await duplicatesIn(folder)).toEqual([]);
  });

  test('of @keelson/core, a second one of a plugin is a problem that names both', async () => {
    using folder = serviceFolder({
      ...service,
      ...acme,
      'node_modules/@acme/store/node_modules/@keelson/core/package.json': packageFile('@keelson/core', '0.0.9'),
    });
    const [message] = await duplicatesIn(folder);
    expect(message).toMatch(/^@keelson\/core is installed more than once.*\(for @keelson\/core, the service\)/);
    expect(message).toMatch(/0\.0\.9 in \S+@acme\/store\/node_modules\/@keelson\/core \(for @acme\/store\)\.$/);
  });

  test('of @mikro-orm/core, the copy of the service and the copy of a dependency of a plugin are two', async () => {
    using folder = serviceFolder({
      ...service,
      ...acme,
      ...acmeWith({ '@acme/database': '*' }),
      'node_modules/@acme/database/package.json': packageFile('@acme/database', '1.0.0', {
        dependencies: { '@mikro-orm/core': '7.2.1' },
      }),
      'node_modules/@acme/database/node_modules/@mikro-orm/core/package.json': packageFile('@mikro-orm/core', '7.2.1'),
      'node_modules/@mikro-orm/core/package.json': packageFile('@mikro-orm/core', '7.2.1'),
    });
    const [message] = await duplicatesIn(folder);
    expect(message).toContain('7.2.1 in');
    expect(message).toContain('(for the service)');
    expect(message).toContain('(for @acme/database)');
  });

  test('of zod, another copy of the same major version is none, and one of another is a problem', async () => {
    const zodOf = (version: string) => ({
      ...service,
      ...acme,
      'node_modules/@acme/store/node_modules/zod/package.json': packageFile('zod', version),
    });
    using same = serviceFolder(zodOf('4.0.1'));
    expect(await duplicatesIn(same)).toEqual([]);
    using other = serviceFolder(zodOf('3.23.8'));
    expect(await duplicatesIn(other)).toEqual([expect.stringMatching(/zod is .* 4\.\S+ in .*; 3\.23\.8 in .*@acme/)]);
  });

  test('are looked for from each file that is a plugin', async () => {
    using folder = serviceFolder({
      'keelson.yaml': { plugins: { own: { use: './own/own.plugin.js' } } },
      'own/own.plugin.js': `import { z } from 'zod';\nexport default { name: 'own', config: z.object({ id: z.uuid() }) };`,
      'own/node_modules/zod/package.json': packageFile('zod', '3.25.76'),
      'own/node_modules/zod/index.js': 'export const z = { object: () => ({}) };',
    });
    expect(await duplicatesIn(folder)).toEqual([expect.stringContaining('(for ./own/own.plugin.js)')]);
  });

  test('are of no interest to a package that does not use them', async () => {
    using folder = serviceFolder({
      ...service,
      ...acme,
      'node_modules/@acme/node_modules/zod/package.json': packageFile('zod', '3.23.8'),
    });
    expect(await duplicatesIn(folder)).toEqual([]);
  });
});
