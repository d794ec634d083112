import { readFile } from 'node:fs/promises';
import { type HealthService, RetryPolicy, silentHealthService } from '@keelson/core';
import { createTestKernel, verifyPlugin } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import plugin from './index.js';
import manifest from './manifest.js';
import { policySchema } from './options.js';

const call = { name: 'mail.send', idempotent: false };

describe('as a plugin', () => {
  test.each(verifyPlugin(plugin, { manifest }))('$name', async ({ run }) => void (await run()));
});

test('fills the slot, reports its breakers, and takes everything back when it stops', async () => {
  const checks = new Map<string, Parameters<HealthService['register']>[0]>();
  const health: HealthService = {
    ...silentHealthService,
    register(check) {
      checks.set(check.name, check);
      return { [Symbol.dispose]: () => void checks.delete(check.name) };
    },
  };
  const values = { retry: { policies: { default: { breaker: { consecutiveFailures: 1 } } } } };
  await using service = await createTestKernel({ plugins: [plugin], slots: { health }, values });
  const policy = service.container.get(RetryPolicy);
  const check = () => checks.get('retry')?.check(AbortSignal.timeout(10_000));
  expect(await policy.execute(async () => 'done', call)).toBe('done');
  expect(await check()).toEqual({ status: 'pass' });

  const boom = new Error('boom');
  await expect(policy.execute(() => Promise.reject(boom), call)).rejects.toBe(boom);
  expect(await check()).toEqual({ status: 'warn', output: 'Not closed: the breaker of "mail"' });
  expect(service.logger.find('the breaker of "mail" is open')).toMatchObject({
    level: 'warn',
    facts: { target: 'mail', error: boom },
  });

  const { plugins } = await service.kernel.status();
  expect(plugins.find(({ key }) => key === 'retry')).toMatchObject({
    facts: { targets: { mail: { breaker: { state: 'open', lastCause: { message: 'boom' } } } } },
    findings: [{ name: 'breaker of mail', status: 'warn', output: 'It is open. Last cause: boom' }],
  });

  await service.clock.advance(200);
  await policy.execute(async () => 'done', call);
  expect(service.logger.find('the breaker of "mail" is closed')?.level).toBe('info');

  await service.stop();
  expect(checks.size).toBe(0);
  await expect(policy.execute(async () => {}, call)).rejects.toMatchObject({ code: 'RETRY_STOPPED' });
});

test('is measured under the names of every retry policy', async () => {
  const values = { retry: { policies: { default: { maxAttempts: 2, breaker: { consecutiveFailures: 2 } } } } };
  await using service = await createTestKernel({ plugins: [plugin], values });
  const { metrics, clock } = service;
  const policy = service.container.get(RetryPolicy);
  const boom = Object.assign(new Error('boom'), { code: 'ECONNREFUSED' });
  const failing = policy.execute(() => Promise.reject(boom), { name: 'mail.send', idempotent: true }).catch(() => {});
  await clock.advance(60_000);
  await failing;
  expect(metrics.value('resilience.retries', { target: 'mail', reason: 'ECONNREFUSED' })).toBe(1);
  expect(metrics.value('resilience.retried_calls', { target: 'mail', outcome: 'failure' })).toBe(1);
  expect(metrics.value('resilience.give_ups', { code: 'RETRY_ATTEMPTS_EXHAUSTED' })).toBe(1);
  expect(metrics.value('resilience.circuit_breaker.moves', { target: 'mail', state: 'open' })).toBe(1);
  const states = ['closed', 'open', 'half-open'].map(state =>
    metrics.value('resilience.circuit_breaker.state', { target: 'mail', state }),
  );
  expect(states.reduce((sum: number, value) => sum + (value ?? 0), 0)).toBe(1);
});

test('the moves of a breaker are breadcrumbs, not those of its probes, and its state comes with errors', async () => {
  const values = { retry: { policies: { default: { breaker: { consecutiveFailures: 1 } } } } };
  await using service = await createTestKernel({ plugins: [plugin], values });
  const { telemetry, clock, container } = service;
  const policy = container.get(RetryPolicy);
  const fail = () => policy.execute(() => Promise.reject(new RangeError('hush')), call).catch(() => {});
  await fail();
  await clock.advance(200);
  await fail();
  telemetry.captureError(new Error('of somebody'));
  expect(telemetry.errors()).toMatchObject([{ attached: { breakers: { mail: 'open' } } }]);
  await clock.advance(10_000);
  await policy.execute(async () => 'done', call);
  const crumbs = telemetry.breadcrumbs('retry.breaker');
  expect(crumbs).toMatchObject([
    { message: 'the breaker of "mail" is open', level: 'warn', processWide: true, facts: { cause: 'RangeError' } },
    { message: 'the breaker of "mail" is closed', level: 'info' },
  ]);
  expect(crumbs).toHaveLength(2);
});

test('the README lists every option of a policy with its default, and no other', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const documented = [...readme.matchAll(/^\| `([\w.]+)` +\| `?(\w[\w.]*)`? +\| [^|]+ \|$/gm)];
  const options = leavesOf(policySchema.parse({}));
  expect(documented.map(([, option, fallback]) => [option, fallback]).sort()).toEqual(options.sort());
});

function leavesOf(value: object, prefix = ''): [path: string, value: string][] {
  return Object.entries(value).flatMap(([key, inner]): [string, string][] =>
    typeof inner === 'object' && inner !== null ? leavesOf(inner, `${prefix}${key}.`) : [[prefix + key, String(inner)]],
  );
}
