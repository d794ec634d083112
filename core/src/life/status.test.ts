import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { Plugin } from '../contract/plugin.js';
import { HealthService, silentHealthService } from '../contract/slots/health.js';
import { FakeClock } from '../testing/fake-clock.js';
import { Kernel } from './kernel.js';

async function running(plugins: Record<string, Plugin>, clock = new FakeClock()): Promise<Kernel> {
  const config = { service: 'shop', plugins: { broken: { optional: true } } };
  const kernel = await Kernel.start({ config, environment: '', variables: {}, clock, plugins });
  onTestFinished(() => void kernel.stop());
  return kernel;
}

const orders: Plugin<{ rate: number }> = {
  name: 'orders',
  config: z.object({ rate: z.int().default(2) }),
  start: ({ config }) => ({
    inspect: () => ({
      facts: { rate: config.rate, password: 'hunter2', leftMs: Number.POSITIVE_INFINITY, url: 'http://me:hunter2@x/' },
      findings: [{ name: 'rate', status: 'warn', output: 'It is low.', hint: 'Raise it.' }],
    }),
    operations: {
      set: {
        description: 'Sets it.',
        arguments: z.object({ rate: z.int(), how: z.enum(['fast', 'slow']).optional() }),
        run: () => 'done',
      },
    },
  }),
};
const quiet: Plugin = { name: 'quiet' };
const broken: Plugin = { name: 'broken', start: () => Promise.reject(new Error('no luck\nat all')) };

test('the status of a service has its phase, its readiness, and the report of each plugin', async () => {
  const kernel = await running({ orders: orders as Plugin, quiet, broken });
  const status = await kernel.status();
  expect(status).toMatchObject({ service: 'shop', phase: 'ready', readiness: { status: 'pass', checks: [] } });
  const told = new Map(status.plugins.map(plugin => [plugin.key, plugin]));
  expect(told.get('orders')).toMatchObject({
    outcome: 'started',
    facts: { rate: 2 },
    findings: [{ name: 'rate', status: 'warn' }],
    operations: [
      {
        name: 'set',
        description: 'Sets it.',
        arguments: [
          { name: 'rate', required: true },
          { name: 'how', required: false, choices: ['fast', 'slow'] },
        ],
      },
    ],
  });
  expect(told.get('quiet')).toEqual({
    key: 'quiet',
    use: 'code:quiet',
    outcome: 'started',
    findings: [],
    operations: [],
  });
  expect(told.get('broken')).toMatchObject({ outcome: 'failed', error: { message: 'no luck' } });
});

test('no secret of a plugin gets out, and all of it can be written as JSON', async () => {
  const status = await (await running({ orders: orders as Plugin, broken })).status();
  const written = JSON.stringify(status);
  expect(written).not.toContain('hunter');
  expect(JSON.parse(written)).toEqual(status);
});

test('a plugin that fails to report, or takes longer than a second, does not delay the others', async () => {
  const clock = new FakeClock();
  const failing: Plugin = { name: 'failing', start: () => ({ inspect: () => Promise.reject(new Error('not now')) }) };
  const hanging: Plugin = { name: 'hanging', start: () => ({ inspect: () => new Promise(() => {}) }) };
  const kernel = await running({ orders: orders as Plugin, failing, hanging, broken }, clock);
  const asked = kernel.status();
  while (clock.pending < 2) await new Promise(resolve => setImmediate(resolve));
  await clock.advance(2_000);
  const told = new Map((await asked).plugins.map(plugin => [plugin.key, plugin]));
  expect(told.get('orders')?.facts).toMatchObject({ rate: 2 });
  expect(told.get('failing')?.error).toEqual({ message: 'not now' });
  expect(told.get('hanging')?.error).toMatchObject({ code: 'KERNEL_HOOK_TIMEOUT' });
});

test('a service that has stopped says so', async () => {
  const health: Plugin = {
    name: 'health',
    slot: 'health',
    provides: [HealthService],
    register: ({ bind }) => void bind(HealthService).toConstantValue(silentHealthService),
  };
  const kernel = await running({ orders: orders as Plugin, broken, health });
  expect(await kernel.status()).toMatchObject({ phase: 'ready', readiness: { status: 'pass' } });
  await kernel.stop();
  expect(await kernel.status()).toMatchObject({ phase: 'stopped', readiness: { status: 'fail' } });
});
