import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Credentials, Kernel } from '@keelson/core';
import { credentialsConformance, verifyPlugin } from '@keelson/core/testing';
import { temporaryFolder } from '@keelson/test-support/temporary-folder';
import { describe, expect, test } from 'vitest';
import plugin from './index.js';
import manifest from './manifest.js';

const values = { command: [process.execPath, '-p', '"conforming-password"'] };

test.each(verifyPlugin(plugin, { manifest, values }))('the plugin with a command: $name', async ({ run }) => {
  expect(['passed', 'not-applicable']).toContain(await run());
});

describe('credentials that a command prints', () => {
  let number = 0;

  /** The command counts its runs, and prints what stands in a file. */
  async function harness() {
    number += 1;
    const path = (name: string) => join(temporaryFolder().TMPDIR, `${name}-${number}`);
    const [runs, secret] = [path('runs'), path('secret')];
    const put = (password: string) => writeFileSync(secret, JSON.stringify({ user: 'app', password }));
    put('first-password');
    const script = `fs.appendFileSync(${JSON.stringify(runs)}, '.'); console.log(fs.readFileSync(${JSON.stringify(secret)}, 'utf8'))`;
    const credentials = { command: [process.execPath, '-e', script] };
    const kernel = await Kernel.start({
      config: { service: 'conforming', plugins: { credentials } },
      variables: {},
      plugins: { credentials: plugin },
    });
    return {
      credentials: kernel.container.get(Credentials),
      asked: () => (existsSync(runs) ? readFileSync(runs, 'utf8').length : 0),
      rotate: async () => {
        put('second-password');
        return { user: 'app', password: 'second-password' };
      },
      fail: async () => writeFileSync(secret, ''),
      close: async () => void (await kernel.stop()),
    };
  }

  test.each(credentialsConformance(harness))('$name', async ({ run }) => expect(await run()).toBe('passed'));
});
