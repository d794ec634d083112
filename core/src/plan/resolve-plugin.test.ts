import { describe, expect, test } from 'vitest';
import { silentLogger } from '../contract/slots/logger.js';
import { Kernel } from '../life/kernel.js';
import { packageFiles, testServiceFolder } from '../life/service.fixture.js';

describe('finding a plugin', () => {
  const log = (name: string) => `globalThis.imported = [...(globalThis.imported ?? []), '${name}'];`;

  describe('a package that is not installed', () => {
    async function problemOf(use: string, dependencies: object = {}, files: Record<string, string | object> = {}) {
      const folder = testServiceFolder({
        'package.json': { name: 'shop', type: 'module', dependencies },
        'keelson.yaml': { plugins: { mail: { use } } },
        ...files,
      });
      const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
      expect(problems).toMatchObject([{ code: 'PLUGIN_NOT_INSTALLED', value: use }]);
      return problems[0];
    }

    test('and is in package.json is reported with the command that installs package.json', async () => {
      const problem = await problemOf('@acme/mail', { '@acme/mail': '1' });
      expect(problem).toMatchObject({ action: 'It is in package.json; run: npm install' });
    });

    test('and is one of ours is reported with the command that installs it', async () => {
      expect(await problemOf('@keelson/health')).toMatchObject({ action: 'Run: npm install @keelson/health' });
    });

    test('and is not in package.json is never reported with a command that would install it', async () => {
      for (const use of ['@acme/mail', 'retry-oppossum', '@keelson/telemetry', '@keelson/logger-winston']) {
        expect((await problemOf(use))?.action).not.toContain('npm install');
      }
    });

    test.each([
      ['@keelson/retry-opposum', '@keelson/retry-opossum'],
      ['@keelsen/health', '@keelson/health'],
      ['@keelson/http-expres', '@keelson/http-express'],
      ['retry-opossum', '@keelson/retry-opossum'],
      ['@acme/mial', '@acme/mail'],
      ['@other/stroe', '@other/store'],
    ])('%s was meant to be %s', async (use, meant) => {
      const installed = packageFiles('@other/store', '', '');
      expect(await problemOf(use, { '@acme/mail': '1' }, installed)).toMatchObject({
        nearest: meant,
        action: `Write ${meant}.`,
      });
    });

    test('is not taken for another one that has only a few letters in common', async () => {
      expect(await problemOf('@keelson/logger-pino')).not.toHaveProperty('nearest');
      expect(await problemOf('@acme/post')).not.toHaveProperty('nearest');
    });

    test.each(['None', 'NONE'])('%s was meant to be none', async use => {
      expect(await problemOf(use)).toMatchObject({ nearest: 'none', action: 'Write none.' });
    });
  });

  test('a file without ./ is distinguished from a package, and any other name is refused', async () => {
    const folder = testServiceFolder({
      'keelson.yaml': { plugins: { a: { use: 'orders.js' }, b: { use: '?' } } },
      'orders.js': '',
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems).toMatchObject([
      { code: 'PLUGIN_NOT_INSTALLED', nearest: './orders.js' },
      { code: 'PLUGIN_NOT_INSTALLED', message: '"?" is neither the name of a package nor a path.' },
    ]);
  });

  test('a package with a broken package.json is reported', async () => {
    const folder = testServiceFolder({
      'keelson.yaml': { plugins: { a: { use: 'odd' } } },
      'node_modules/odd/package.json': '{',
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems).toMatchObject([{ code: 'PLUGIN_IMPORT_FAILED' }]);
  });

  test('a missing file is reported with the nearest file', async () => {
    const folder = testServiceFolder({ 'keelson.yaml': { plugins: { a: { use: './ordrs.js' } } }, 'orders.js': '' });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems).toMatchObject([{ code: 'PLUGIN_FILE_MISSING', nearest: 'orders.js' }]);
  });

  test('a file that is not built yet is reported with its source', async () => {
    const files = { 'keelson.yaml': { plugins: { a: { use: './dist/a.plugin.js' } } }, 'src/a.plugin.ts': '' };
    const { problems } = await Kernel.plan({ config: testServiceFolder(files).config, variables: {} });
    expect(problems).toMatchObject([
      { code: 'PLUGIN_FILE_MISSING', action: expect.stringMatching(/^Build .*a\.plugin\.ts\.$/) },
    ]);
  });

  test('a path that is not a module is reported as such, a folder with the file in it', async () => {
    const folder = testServiceFolder({
      'keelson.yaml': { plugins: { a: { use: './package.json' }, b: { use: './mail' } } },
      'mail/index.js': '',
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems.map(({ code, message, nearest }) => [code, message.replace(/^.*\//, ''), nearest])).toEqual([
      ['PLUGIN_INVALID', 'package.json is not a module, so it cannot be a plugin.', undefined],
      ['PLUGIN_INVALID', 'mail is a folder, so it cannot be a plugin.', './mail/index.js'],
    ]);
  });

  test('only the manifests of the chosen packages are imported for a plan', async () => {
    const folder = testServiceFolder({
      'keelson.yaml': { plugins: { mail: { use: '@acme/mail' } } },
      ...packageFiles(
        '@acme/mail',
        `${log('main')} export default { name: 'mail' };`,
        `${log('manifest')} export default { name: 'mail' };`,
      ),
      ...packageFiles('@acme/other', log('other')),
    });
    const imported = (globalThis as { imported?: string[] }).imported ?? [];
    const plan = await Kernel.plan({ config: folder.config, variables: {} });
    expect(plan.problems).toEqual([]);
    expect(plan.plugins[0]?.version).toBe('1.2.3');
    expect((globalThis as { imported?: string[] }).imported).toEqual([...imported, 'manifest']);
  });

  test('a file may keep its manifest beside it, so that a plan imports nothing heavier', async () => {
    const folder = testServiceFolder({
      'keelson.yaml': { plugins: { orders: { use: './orders.plugin.js' } } },
      'orders.plugin.js': `throw new Error('imported');`,
      'orders.manifest.js': `export default { name: 'orders' };`,
    });
    expect((await Kernel.plan({ config: folder.config, variables: {} })).problems).toEqual([]);
  });

  test('a package without exports and a CommonJS one are found as well', async () => {
    const folder = testServiceFolder({
      'keelson.yaml': { plugins: { old: { use: 'old-mail' } } },
      'node_modules/old-mail/package.json': { name: 'old-mail', version: '0.0.1', main: 'lib.js' },
      'node_modules/old-mail/lib.js': `module.exports = { name: 'old' };`,
    });
    const plan = await Kernel.plan({ config: folder.config, variables: {} });
    expect(plan.problems).toEqual([]);
    expect(plan.plugins[0]?.manifest.name).toBe('old');
  });

  test('`use: none` leaves the silent default in the slot, and says where that was decided', async () => {
    const folder = testServiceFolder({ 'keelson.yaml': 'plugins:\n  logger: { use: none }\n' });
    const plan = await Kernel.plan({ config: folder.config, variables: {} });
    const choice = plan.slots.find(slot => slot.slot === 'logger');
    expect(choice).toMatchObject({ filledBy: 'silent logger' });
    expect(choice?.reason).toMatch(/^use: none in .*keelson\.yaml:2:18$/);
    expect(silentLogger.isEnabled('fatal')).toBe(false);
  });

  test('all problems of the configuration and the plugins are reported at once', async () => {
    const folder = testServiceFolder({
      'keelson.yaml': {
        plugins: {
          mail: { use: '@acme/mail' },
          orders: { use: './orders.js', port: 'x', prt: 1 },
          book: { use: './book.js' },
        },
      },
      'orders.js': `import { z } from 'zod'; export default { name: 'orders', config: z.object({ port: z.int() }) };`,
      'book.js': `export default { name: 'book', contract: '^7' };`,
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: { KEELSON_BOK__A: '1' } });
    expect(problems.map(problem => problem.code).sort()).toEqual([
      'CONFIG_KEY_UNKNOWN',
      'CONFIG_VALUE_INVALID',
      'CONFIG_VARIABLE_UNKNOWN',
      'PLAN_CONTRACT_MISMATCH',
      'PLUGIN_NOT_INSTALLED',
    ]);
  });
});
