import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Credentials, Kernel } from '@keelson/core';
import { credentialsConformance, verifyPlugin } from '@keelson/core/testing';
import { temporaryFolder } from '@keelson/test-support/temporary-folder';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import plugin from './index.js';
import manifest from './manifest.js';

let number = 0;

/** A new folder. */
function folder(): string {
  number += 1;
  const path = join(temporaryFolder().TMPDIR, `secrets-${number}`);
  mkdirSync(path);
  return path;
}

const start = (path: string) =>
  Kernel.start({
    config: { service: 'conforming', plugins: { credentials: { path } } },
    variables: {},
    plugins: { credentials: plugin },
  });

describe('the plugin with a file', () => {
  const path = join(folder(), 'password');
  writeFileSync(path, 'conforming-password\n');
  test.each(verifyPlugin(plugin, { manifest, values: { path } }))('$name', async ({ run }) => {
    expect(['passed', 'not-applicable']).toContain(await run());
  });
});

describe('credentials in a file', () => {
  async function harness() {
    const path = join(folder(), 'credential');
    const put = (password: string) => writeFileSync(path, JSON.stringify({ user: 'app', password }));
    put('first-password');
    const kernel = await start(path);
    return {
      credentials: kernel.container.get(Credentials),
      rotate: async () => {
        put('second-password');
        return { user: 'app', password: 'second-password' };
      },
      fail: async () => rmSync(path),
      close: async () => void (await kernel.stop()),
    };
  }

  test.each(credentialsConformance(harness))('$name', async ({ run, needs }) => {
    expect(await run()).toBe(needs === 'a source that counts' ? 'not-applicable' : 'passed');
  });
});

describe('a file', () => {
  let directory: string;
  let path: string;
  let kernel: Kernel | undefined;
  beforeEach(() => {
    directory = folder();
    path = join(directory, 'password');
  });
  afterEach(async () => {
    await kernel?.stop();
    kernel = undefined;
  });

  const open = async () => {
    kernel = await start(path);
    return kernel.container.get(Credentials);
  };

  test('that Kubernetes replaces by the swap of a symbolic link is read at the next login', async () => {
    for (const version of ['1', '2']) {
      mkdirSync(join(directory, `..${version}`));
      writeFileSync(join(directory, `..${version}`, 'password'), `password-${version}`);
    }
    symlinkSync('..1', join(directory, '..data'));
    symlinkSync('..data/password', path);
    const credentials = await open();
    expect(await credentials.current()).toEqual({ password: 'password-1' });
    symlinkSync('..2', join(directory, '..data_tmp'));
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
    expect(await credentials.current()).toEqual({ password: 'password-2' });
  });

  test('that is half written is not taken; the former credential stays', async () => {
    writeFileSync(path, '{"password":"whole-password"}');
    const credentials = await open();
    writeFileSync(path, '{"password":"ha');
    expect(await credentials.current()).toEqual({ password: 'whole-password' });
    writeFileSync(path, '');
    expect(await credentials.current()).toEqual({ password: 'whole-password' });
  });

  test('that is missing fails the start, and the error names it', async () => {
    await expect(start(path)).rejects.toMatchObject({
      code: 'KERNEL_START_FAILED',
      message: expect.stringContaining('credentials'),
      cause: { code: 'CREDENTIALS_UNAVAILABLE', message: expect.stringContaining(`(ENOENT): ${path}`) },
    });
  });
});
