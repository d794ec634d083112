import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { lockProduct } from '@keelson/test-support/locked-product';
import { startService } from '@keelson/test-support/service-process';
import { expect, test } from 'vitest';

/** Long enough for the requests that are made while the service gives notice, on a busy machine. */
const noticeMs = 2_000;

test('SIGTERM fails readiness first, goes on serving, then closes, and lets a running request finish', async () => {
  await using database = await createTestDatabase();
  const variables = { KEELSON_ENV: 'postgres', DATABASE_URL: database.url };
  await using service = await startService({
    variables: { ...variables, KEELSON_SHUTDOWN__NOTICE_MS: String(noticeMs) },
  });
  await service.request('POST', '/products', { sku: 'mug', stock: 5 });
  await using lock = await lockProduct(database.url, 'mug');

  const running = service.request('POST', '/orders', { sku: 'mug', quantity: 2 });
  await lock.isWaitedFor();
  service.kill('SIGTERM');

  await eventually(async () => expect((await service.request('GET', '/readyz')).status).toBe(503));
  expect(await service.request('GET', '/products/mug'), 'still serving').toMatchObject({ status: 200 });
  await eventually(() => expect(service.request('GET', '/livez')).rejects.toThrow(), { that: 'the port to be closed' });
  await lock.release();

  const { status, body: order } = await running;
  expect(status).toBe(201);
  expect(await service.ended).toEqual({ code: 0, signal: null });

  await using next = await startService({ variables });
  expect(await next.request('GET', `/orders/${order.id}`), 'it is stored').toMatchObject({ status: 200, body: order });
}, 60_000);
