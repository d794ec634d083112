import { readFile } from 'node:fs/promises';
import { definePlugin, type HealthCheck, type HealthService, RetryPolicy, silentHealthService } from '@keelson/core';
import { createTestKernel, verifyPlugin } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import plugin, { faultsOptionsSchema } from './index.js';
import manifest from './manifest.js';

const rule = { target: 'mail', kind: 'refusal', probability: 1 };
const call = { name: 'mail.send', idempotent: false };
const values = (rules: object[], more = {}) => ({ faults: { rules, ...more } });

describe.each([{ rules: [] }, { rules: [rule] }])('as a plugin with %o', config => {
  test.each(verifyPlugin(plugin, { manifest, values: config }))('$name', async ({ run }) => void (await run()));
});

test('injects faults by its rules, warns at its start and in health, and ends with the service', async () => {
  const checks = new Map<string, HealthCheck>();
  const health: HealthService = {
    ...silentHealthService,
    register(check) {
      checks.set(check.name, check);
      return { [Symbol.dispose]: () => void checks.delete(check.name) };
    },
  };
  await using service = await createTestKernel({ plugins: [plugin], slots: { health }, values: values([rule]) });
  const policy = service.container.get(RetryPolicy);
  await expect(policy.execute(async () => 'sent', call)).rejects.toMatchObject({ code: 'FAULT_INJECTED' });
  expect(await policy.execute(async () => 'read', { ...call, name: 'stock.read' })).toBe('read');

  expect(service.logger.lines('warn')).toMatchObject([
    { message: 'fault injection configured', facts: { rules: [rule] } },
  ]);
  expect(service.logger.lines('debug')).toMatchObject([
    { message: 'fault injected', facts: { operation: 'mail.send', target: 'mail', kind: 'refusal', seed: 1 } },
  ]);
  const check = checks.get('faults');
  expect(check?.critical).toBe(false);
  expect(await check?.check(AbortSignal.timeout(10_000))).toMatchObject({
    status: 'warn',
    output: 'Faults are injected: refusal into mail',
  });

  await service.stop();
  expect(checks.size).toBe(0);
  expect(await policy.execute(async () => 'sent', call)).toBe('sent');
});

test('calls during the start are not struck', async () => {
  const sender = definePlugin({
    name: 'sender',
    requires: [RetryPolicy],
    start: async ({ container }) => void (await container.get(RetryPolicy).execute(async () => 'sent', call)),
  });
  await using service = await createTestKernel({ plugins: [plugin, sender], values: values([rule]) });
  expect(service.report.outcome).toBe('ready');
});

test('without rules the plugin wraps, logs and reports nothing', async () => {
  const retry: RetryPolicy = { execute: () => Promise.reject(new Error('the very one')) };
  await using service = await createTestKernel({ plugins: [plugin], slots: { retry }, values: values([]) });
  expect(service.container.get(RetryPolicy)).toBe(retry);
  expect(service.logger.lines('warn')).toEqual([]);
});

describe('in production', () => {
  test.each(['production', 'prod', 'Production'])('a plan for %s with rules is invalid', async environment => {
    const start = createTestKernel({ plugins: [plugin], environment, values: values([rule]) });
    await expect(start).rejects.toMatchObject({
      code: 'KERNEL_PLAN_INVALID',
      problems: [{ code: 'FAULTS_IN_PRODUCTION', path: 'plugins.faults.rules' }],
    });
  });

  test.each([
    ['production', values([rule], { allowInProduction: true })],
    ['production', values([])],
    ['staging', values([rule])],
  ])('a service in %s with %o starts', async (environment, given) => {
    await using service = await createTestKernel({ plugins: [plugin], environment, values: given });
    expect(service.report.outcome).toBe('ready');
  });
});

test('the README lists every option of a rule, and no other', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const documented = [...readme.matchAll(/^\| `([\w.[\]]+)` /gm)].map(([, option]) => option);
  const rules = faultsOptionsSchema.shape.rules.unwrap().element;
  const options = ['allowInProduction', ...Object.keys(rules.shape).map(option => `rules[].${option}`)];
  expect(documented.sort()).toEqual(options.sort());
});
