import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { Plugin } from '../contract/plugin.js';
import type { PluginContext } from '../contract/plugin-context.js';
import { Kernel } from '../life/kernel.js';
import { testServiceFolder } from '../life/service.fixture.js';
import { formatError } from '../secrets/format-error.js';

const config = z.strictObject({
  url: z.string().default('none').meta({ secret: true, reloadable: true }),
  tries: z.number().int().default(1),
});

/** The context of a plugin with `values`, and the folder of its service. */
async function started(values: object) {
  const folder = testServiceFolder({ 'keelson.yaml': { plugins: { a: { use: 'x', ...values } } } });
  const seen: PluginContext<unknown>[] = [];
  const a: Plugin = {
    name: 'a',
    config,
    start(context) {
      seen.push(context);
      return { reconfigure: next => void seen.push(next) };
    },
  };
  const start = () =>
    Kernel.start({
      config: folder.config,
      variables: { NAME: 'ada' },
      plugins: { a },
      overrides: { plugins: { a: { use: 'x' } } },
    });
  const put = (name: string, text: string) => writeFileSync(join(folder.directory, name), text);
  const run = async () => {
    const kernel = await start();
    onTestFinished(() => void kernel.stop());
    return kernel;
  };
  return { folder, put, run, seen };
}

test('a plugin without a value of a file has nothing to read again', async () => {
  const { run, seen } = await started({ url: 'none' });
  await run();
  expect(seen[0]?.rereadFiles).toBeUndefined();
});

test('a value of a file is read again when the file has changed, and not before', async () => {
  const { put, run, seen } = await started({ url: `db://\${NAME}:\${file:password}@host`, tries: `\${file:tries}` });
  put('password', 'first-secret\n');
  put('tries', '3');
  await run();
  const [context] = seen;
  expect(context?.config).toEqual({ url: 'db://ada:first-secret@host', tries: 3 });
  expect(await context?.rereadFiles?.()).toBe(context?.config);
  put('password', 'second-secret');
  const again = await context?.rereadFiles?.();
  expect(again).toEqual({ url: 'db://ada:second-secret@host', tries: 3 });
  expect(await context?.rereadFiles?.()).toBe(again);
  expect(formatError(new Error('said second-secret'))).not.toContain('second-secret');
});

test('the swap of a symbolic link above the file is a change, as Kubernetes does it', async () => {
  const { folder, run, seen } = await started({ url: `\${file:secret/password}` });
  const at = (...path: string[]) => join(folder.directory, 'secret', ...path);
  for (const [version, password] of [
    ['..1', 'password-1'],
    ['..2', 'password-2'],
  ] as const) {
    mkdirSync(at(version), { recursive: true });
    writeFileSync(at(version, 'password'), password);
  }
  symlinkSync('..1', at('..data'));
  symlinkSync('..data/password', at('password'));
  await run();
  expect(seen[0]?.config).toMatchObject({ url: 'password-1' });
  symlinkSync('..2', at('..data_tmp'));
  renameSync(at('..data_tmp'), at('..data'));
  expect(await seen[0]?.rereadFiles?.()).toMatchObject({ url: 'password-2' });
});

test('what cannot be read, or the schema refuses, is an error each time until it is good', async () => {
  const { folder, put, run, seen } = await started({ tries: `\${file:tries}` });
  put('tries', '3');
  await run();
  renameSync(join(folder.directory, 'tries'), join(folder.directory, 'away'));
  for (let count = 0; count < 2; count++) {
    await expect(seen[0]?.rereadFiles?.()).rejects.toMatchObject({ code: 'CONFIG_FILE_UNREADABLE' });
  }
  put('tries', 'many');
  await expect(seen[0]?.rereadFiles?.()).rejects.toMatchObject({ code: 'CONFIG_VALUE_INVALID' });
  put('tries', '4');
  expect(await seen[0]?.rereadFiles?.()).toMatchObject({ tries: 4 });
});

test('after a reload the values of the new configuration are read again', async () => {
  const { folder, put, run, seen } = await started({ url: `\${file:one}` });
  put('one', 'in-file-one');
  put('two', 'in-file-two');
  const kernel = await run();
  folder.write('keelson.yaml', { plugins: { a: { use: 'x', url: `\${file:two}` } } });
  expect((await kernel.reload()).changes).toMatchObject([{ path: 'a.url', outcome: 'applied' }]);
  put('two', 'in-file-two-changed');
  expect(await seen.at(-1)?.rereadFiles?.()).toMatchObject({ url: 'in-file-two-changed' });
});
