import { type HealthCheck, HealthService, Metrics, RetryPolicy, silentHealthService } from '@keelson/core';
import { FakeClock, RecordingLogger, RecordingMetrics } from '@keelson/core/testing';
import { Container } from 'inversify';
import { expect, test } from 'vitest';
import plugin, { errorCodes, RetryControl, retryOptionsSchema } from './index.js';
import manifest from './manifest.js';

test('fills the slot, reports while it runs, and takes everything back when it stops', async () => {
  const container = new Container();
  const clock = new FakeClock();
  const metrics = new RecordingMetrics();
  const logger = new RecordingLogger();
  const checks = new Set<string>();
  const register = ({ name }: HealthCheck) => {
    checks.add(name);
    return { [Symbol.dispose]: () => void checks.delete(name) };
  };
  container.bind(Metrics).toConstantValue(metrics);
  container.bind(HealthService).toConstantValue({ ...silentHealthService, register });
  const context = {
    config: retryOptionsSchema.parse({ policies: { default: { maxAttempts: 1 } } }),
    key: 'retry',
    instance: undefined,
    service: 'test',
    directory: '.',
    clock,
    lifecycle: {
      phase: 'starting' as const,
      stopping: AbortSignal.abort(),
      onPhase: () => ({ [Symbol.dispose]() {} }),
    },
  };
  const running = { ...context, container, logger, signal: AbortSignal.timeout(10_000) };

  await plugin.register?.({ ...context, bind: container.bind.bind(container) });
  await plugin.start?.(running);
  const policy = container.get(RetryPolicy);
  expect(await policy.execute(async () => 'done', { name: 'mail.send', idempotent: true })).toBe('done');
  container.get(RetryControl).hold('mail', 'open');
  expect(checks).toEqual(new Set(['retry']));
  expect(metrics.value('resilience.circuit_breaker.state', { state: 'held-open' })).toBe(1);
  expect(logger.find('held-open')).toBeDefined();

  await plugin.stop?.(running);
  expect(checks.size).toBe(0);
  expect(metrics.series('resilience.circuit_breaker.state')).toEqual([]);
  await expect(policy.execute(async () => {}, { name: 'mail.send', idempotent: true })).rejects.toMatchObject({
    code: 'RETRY_STOPPED',
  });
});

test('the manifest is that of the plugin', () => {
  expect(plugin).toMatchObject({ name: manifest.name, slot: 'retry', provides: [RetryPolicy, RetryControl] });
});

test('every option is described in words, and every code is listed once', () => {
  const undescribed: string[] = [];
  const visit = (schema: JsonSchema, path: string): void => {
    for (const [key, inner] of Object.entries(schema.properties ?? {})) {
      if (inner.description === undefined) undescribed.push(`${path}${key}`);
      visit(inner, `${path}${key}.`);
    }
    if (typeof schema.additionalProperties === 'object') visit(schema.additionalProperties, `${path}*.`);
  };
  visit(retryOptionsSchema.toJSONSchema({ io: 'input' }) as JsonSchema, '');
  expect(undescribed).toEqual([]);
  expect(new Set(errorCodes).size).toBe(errorCodes.length);
});

interface JsonSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
}
