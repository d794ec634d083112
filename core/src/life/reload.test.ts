import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { Plugin } from '../contract/plugin.js';
import { FakeClock } from '../testing/fake-clock.js';
import { Kernel } from './kernel.js';
import { formatReload } from './reload.js';
import { testServiceFolder } from './service.fixture.js';

const config = z.object({
  rate: z.int().max(10).default(1).meta({ reloadable: true }),
  token: z.string().optional().meta({ reloadable: true, secret: true }),
  port: z.int().default(1),
  policies: z
    .record(
      z.string(),
      z.object({
        tries: z.int().default(8).meta({ reloadable: true }),
        ms: z.int().default(5).meta({ reloadable: true }),
      }),
    )
    .default({})
    .meta({ reloadable: true }),
});

async function running(values: object, reconfigure?: (config: unknown) => void) {
  const folder = testServiceFolder({ 'keelson.yaml': { plugins: { a: { use: 'x', ...values } } } });
  const a: Plugin = {
    name: 'a',
    config,
    start: () => (reconfigure ? { reconfigure: context => reconfigure(context.config) } : {}),
  };
  const write = (next: object) => folder.write('keelson.yaml', { plugins: { a: { use: 'x', ...next } } });
  const kernel = await Kernel.start({
    config: folder.config,
    variables: {},
    plugins: { a },
    overrides: { plugins: { a: { use: 'x' } } },
  });
  onTestFinished(() => void kernel.stop());
  return { kernel, write };
}

test('values that a plugin declares reloadable reach it, the rest needs a restart', async () => {
  const seen: unknown[] = [];
  const { kernel, write } = await running({ rate: 2, port: 7 }, value => seen.push(value));
  write({ rate: 5, port: 8 });
  const { changes } = await kernel.reload();
  expect(changes).toMatchObject([
    { path: 'a.rate', from: '2', to: '5', outcome: 'applied' },
    { path: 'a.port', from: '7', to: '8', outcome: 'needs-restart' },
  ]);
  expect(seen).toEqual([{ rate: 5, port: 7, policies: {} }]);
  expect((await kernel.reload()).changes).toMatchObject([{ path: 'a.port', outcome: 'needs-restart' }]);
});

test('a reloadable value of a plugin without the hook for it needs a restart', async () => {
  const { kernel, write } = await running({ rate: 2 });
  write({ rate: 5 });
  expect((await kernel.reload()).changes).toMatchObject([{ path: 'a.rate', outcome: 'needs-restart' }]);
  expect((await kernel.reload()).changes).toMatchObject([{ path: 'a.rate', from: '2' }]);
});

test('a value that is taken out of the file goes back to its default', async () => {
  const seen: unknown[] = [];
  const { kernel, write } = await running({ rate: 2 }, value => seen.push(value));
  write({});
  expect((await kernel.reload()).changes).toMatchObject([
    { path: 'a.rate', from: '2', to: '1', toDefault: true, outcome: 'applied' },
  ]);
  expect(seen).toEqual([{ rate: 1, port: 1, policies: {} }]);
});

test('a secret that changed is seen, and shown nowhere', async () => {
  const { kernel, write } = await running({ token: 'hunter2' }, () => {});
  write({ token: 'hunter3' });
  const { changes } = await kernel.reload();
  expect(changes).toMatchObject([{ path: 'a.token', from: '[masked]', to: '[masked]', outcome: 'applied' }]);
  expect(JSON.stringify(changes)).not.toContain('hunter');
});

test('a configuration that does not hold changes nothing', async () => {
  const seen: unknown[] = [];
  const { kernel, write } = await running({ rate: 2 }, value => seen.push(value));
  write({ rate: 99 });
  await expect(kernel.reload()).rejects.toMatchObject({
    code: 'KERNEL_PLAN_INVALID',
    hint: 'Nothing has changed. Fix the configuration and run `keelson check`, which starts nothing.',
  });
  write({ rate: 2 });
  expect((await kernel.reload()).changes).toEqual([]);
  expect(seen).toEqual([]);
});

test('a plugin that refuses the new values keeps the old ones', async () => {
  const { kernel, write } = await running({ rate: 2 }, () => {
    throw new Error('not now');
  });
  write({ rate: 3 });
  expect((await kernel.reload()).changes).toMatchObject([{ outcome: 'failed', error: { message: 'not now' } }]);
  expect((await kernel.reload()).changes).toMatchObject([{ from: '2', to: '3' }]);
});

test('a plugin that does not take the new values in its time keeps the old ones', async () => {
  const clock = new FakeClock();
  const a: Plugin = {
    name: 'a',
    config,
    startTimeoutMs: 1_000,
    start: () => ({ reconfigure: () => new Promise(() => {}) }),
  };
  const folder = testServiceFolder({ 'keelson.yaml': { plugins: { a: { rate: 1 } } } });
  const kernel = await Kernel.start({ config: folder.config, variables: {}, plugins: { a }, clock });
  folder.write('keelson.yaml', { plugins: { a: { rate: 2 } } });
  const reloaded = kernel.reload();
  while (clock.pending === 0) await new Promise(resolve => setImmediate(resolve));
  await clock.advance(2_000);
  expect((await reloaded).changes).toMatchObject([{ outcome: 'failed', error: { code: 'KERNEL_HOOK_TIMEOUT' } }]);
  await kernel.stop();
});

test('a value that is taken out of a map goes back to its default', async () => {
  const seen: unknown[] = [];
  const { kernel, write } = await running({ policies: { x: { tries: 4 }, y: { ms: 6 } } }, value => seen.push(value));
  write({ policies: { y: { ms: 6 } } });
  const { changes } = await kernel.reload();
  expect(formatReload({ changes })).toBe(
    'Read the configuration again:\n  a.policies.x.tries: 4 -> 8 (default)  applied',
  );
  expect(seen).toMatchObject([{ policies: { y: { tries: 8, ms: 6 } } }]);
  expect(Object.keys((seen[0] as { policies: object }).policies)).toEqual(['y']);
  write({});
  const last = await kernel.reload();
  expect(formatReload(last)).toBe('Read the configuration again:\n  a.policies.y.ms: 6 -> 5 (default)  applied');
  expect(seen[1]).toMatchObject({ policies: {} });
  expect((await kernel.reload()).changes).toEqual([]);
  write({ policies: { x: { tries: 2 } } });
  expect(formatReload(await kernel.reload())).toContain('\n  a.policies.x.tries: 8 -> 2  applied');
});

test('a default that is written out is not a change', async () => {
  const { kernel, write } = await running({ rate: 2 }, () => {});
  write({ rate: 2, port: 1, policies: {} });
  expect((await kernel.reload()).changes).toEqual([]);
  write({ rate: 2, port: 3 });
  expect(formatReload(await kernel.reload())).toContain('a.port: 1 -> 3  needs a restart');
});

test('the status lists a change that waits for a restart until the configuration takes it back', async () => {
  const { kernel, write } = await running({ port: 7 }, () => {});
  expect((await kernel.status()).awaitingRestart).toEqual([]);
  write({ port: 8 });
  await kernel.reload();
  expect((await kernel.status()).awaitingRestart).toEqual([{ path: 'a.port', from: '7', to: '8' }]);
  write({ port: 7 });
  await kernel.reload();
  expect((await kernel.status()).awaitingRestart).toEqual([]);
});
