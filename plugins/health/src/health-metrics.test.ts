import { HealthService } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { expect, test } from 'vitest';
import plugin from './index.js';

test('what readiness and each check say is measured, one series for each status, without running a check', async () => {
  await using service = await createTestKernel({ plugins: [plugin] });
  const { metrics, clock } = service;
  let looks = 0;
  service.container.get(HealthService).register({
    name: 'mail',
    critical: false,
    check: async () => {
      looks += 1;
      return { status: 'fail', output: 'Down.' };
    },
  });
  await clock.advance(10);
  const before = looks;
  const statuses = (labels: object) =>
    ['pass', 'warn', 'fail'].map(status => metrics.value('health.check.status', { ...labels, status }));
  expect(statuses({ check: 'mail' })).toEqual([0, 0, 1]);
  expect(statuses({ check: 'lifecycle' })).toEqual([1, 0, 0]);
  expect(metrics.value('health.status', { status: 'warn' })).toBe(1);
  expect(metrics.value('health.status', { status: 'fail' })).toBe(0);
  expect(metrics.value('health.check.duration', { check: 'mail' })).toBe(0);
  expect(looks).toBe(before);
  await service.stop();
  expect(metrics.value('health.status')).toBeUndefined();
});
