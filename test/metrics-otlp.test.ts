import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { OtlpReceiver } from '@keelson/test-support/otlp-receiver';
import { startService } from '@keelson/test-support/service-process';
import { expect, test } from 'vitest';

test('the metrics of a real service arrive over OTLP, at the latest when it stops, without values of users', async () => {
  await using database = await createTestDatabase();
  await using receiver = await OtlpReceiver.start();
  const variables = {
    KEELSON_ENV: 'postgres',
    DATABASE_URL: database.url,
    KEELSON_METRICS__USE: '@keelson/metrics-otlp',
    KEELSON_METRICS__ENDPOINT: receiver.url,
    KEELSON_METRICS__INTERVAL_MS: '200',
    KEELSON_SHUTDOWN__NOTICE_MS: '0',
  };
  await using service = await startService({ variables });
  expect((await service.request('POST', '/products', { sku: 'hush-sku', stock: 5 })).status).toBe(201);
  expect((await service.request('POST', '/orders', { sku: 'hush-sku', quantity: 2 })).status).toBe(201);
  const named = (name: string) => receiver.points.filter(point => point.name === name);
  await eventually(() => named('resilience.circuit_breaker.state').length > 0, { timeoutMs: 15_000 });
  receiver.clear();
  expect(await service.stop()).toEqual({ code: 0, signal: null });

  const [duration] = named('db.client.operation.duration');
  expect(duration).toMatchObject({ type: 'histogram', unit: 's' });
  expect(named('process.cpu.time').length).toBeGreaterThan(0);
  expect(receiver.text).toContain('orders');
  expect(receiver.text).not.toContain('hush');
}, 60_000);
