import { HealthService, HttpServer } from '@keelson/core';
import health from '@keelson/health';
import { startKernel } from '@keelson/test-support/start-kernel';
import { expect, test } from 'vitest';
import { http } from './server-under-test.fixture.js';

test('a service may have a second server, and a second health engine, each found by its name', async () => {
  await using kernel = await startKernel({ plugins: { http, 'http/admin': http, health, 'health/batch': health } });
  const door = kernel.container.get(HttpServer);
  const admin = kernel.container.get(HttpServer, { name: 'admin' });
  admin.router('/queues', (_request, response) => response.end('queues'));
  kernel.container.get(HealthService, { name: 'batch' }).register({
    name: 'queue',
    check: async () => ({ status: 'fail' }),
  });
  expect(await (await fetch(`${admin.url}/queues`)).text()).toBe('queues');
  expect((await fetch(`${door.url}/queues`)).status).toBe(404);
  expect((await fetch(`${door.url}/readyz`)).status, 'what the other engine watches is not in the probe').toBe(200);
  expect((await fetch(`${admin.url}/readyz`)).status).toBe(404);
  expect(await kernel.stop()).toMatchObject({ outcome: 'clean' });
});
