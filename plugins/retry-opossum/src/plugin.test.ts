import { HealthService, Kernel, Logger, Metrics, RetryPolicy, silentHealthService } from '@keelson/core';
import { FakeClock, RecordingLogger, RecordingMetrics } from '@keelson/core/testing';
import { filling } from '@keelson/test-support/filling';
import { expect, test } from 'vitest';
import plugin, { errorCodes, RetryControl, retryOptionsSchema } from './index.js';
import manifest from './manifest.js';

const call = { name: 'mail.send', idempotent: true };

/** A service with this plugin and others that record reports. */
async function startWith(policy: { maxAttempts: number }) {
  const logger = new RecordingLogger();
  const metrics = new RecordingMetrics();
  const checks = new Set<string>();
  const health: HealthService = {
    ...silentHealthService,
    register({ name }) {
      checks.add(name);
      return { [Symbol.dispose]: () => void checks.delete(name) };
    },
  };
  const kernel = await Kernel.start({
    config: { service: 'test' },
    overrides: { plugins: { retry: { policies: { default: policy } } } },
    variables: {},
    clock: new FakeClock(),
    plugins: {
      retry: plugin,
      logger: filling('logger', Logger, logger),
      metrics: filling('metrics', Metrics, metrics),
      health: filling('health', HealthService, health),
    },
  });
  return { kernel, logger, metrics, checks };
}

test('fills the slot, reports while it runs, and takes everything back when it stops', async () => {
  const { kernel, logger, metrics, checks } = await startWith({ maxAttempts: 2 });
  const policy = kernel.container.get(RetryPolicy);
  expect(await policy.execute(async () => 'done', call)).toBe('done');
  kernel.container.get(RetryControl).hold('mail', 'open');
  expect(checks).toEqual(new Set(['retry']));
  expect(metrics.value('resilience.circuit_breaker.state', { state: 'held-open' })).toBe(1);
  expect(logger.find('the breaker of "mail" is held-open')).toBeDefined();

  await kernel.stop();
  expect(checks.size).toBe(0);
  expect(metrics.series('resilience.circuit_breaker.state')).toEqual([]);
  await expect(policy.execute(async () => {}, call)).rejects.toMatchObject({ code: 'RETRY_STOPPED' });
});

test('has a health check for each instance, named by its key', async () => {
  const checks: string[] = [];
  const health: HealthService = {
    ...silentHealthService,
    register({ name }) {
      checks.push(name);
      return { [Symbol.dispose]() {} };
    },
  };
  const kernel = await Kernel.start({
    config: { service: 'test' },
    variables: {},
    clock: new FakeClock(),
    plugins: {
      retry: plugin,
      'retry/mail': plugin,
      health: filling('health', HealthService, health),
    },
  });
  expect(checks.sort()).toEqual(['retry', 'retry/mail']);
  await kernel.stop();
});

test('takes new options when the configuration is read again, and logs what differs', async () => {
  const options = { maxAttempts: 2 };
  const { kernel, logger } = await startWith(options);
  await kernel.container.get(RetryPolicy).execute(async () => {}, call);
  options.maxAttempts = 3;
  const report = await kernel.reload();
  expect(report.changes).toMatchObject([{ path: 'retry.policies.default.maxAttempts', outcome: 'applied' }]);
  expect(kernel.container.get(RetryControl).describe()[0]?.policy.maxAttempts).toBe(3);
  expect(logger.find('options of the retry policy changed')?.facts.changes).toEqual([
    { path: 'policies.default.maxAttempts', from: 2, to: 3 },
  ]);
  await kernel.stop();
});

test('the manifest is that of the plugin', () => {
  expect(plugin).toMatchObject({ name: manifest.name, slot: 'retry', provides: [RetryPolicy, RetryControl] });
});

interface JsonSchema {
  readonly description?: string;
  readonly reloadable?: boolean;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
}

test('every option is described in words and may change while running, and every code is listed once', () => {
  const wanting: string[] = [];
  const visit = (schema: JsonSchema, path: string): void => {
    for (const [key, inner] of Object.entries(schema.properties ?? {})) {
      const isValue = inner.properties === undefined;
      if (inner.description === undefined || (isValue && inner.reloadable !== true)) wanting.push(`${path}${key}`);
      visit(inner, `${path}${key}.`);
    }
    if (typeof schema.additionalProperties === 'object') visit(schema.additionalProperties, `${path}*.`);
  };
  visit(retryOptionsSchema.toJSONSchema({ io: 'input' }) as JsonSchema, '');
  expect(wanting).toEqual([]);
  expect(new Set(errorCodes).size).toBe(errorCodes.length);
});
