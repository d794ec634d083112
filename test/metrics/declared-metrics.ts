import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { definePlugin, Metrics } from '@keelson/core';
import { type Declaration, measureProcess } from '@keelson/core/metrics';
import { RecordingMetrics } from '@keelson/core/testing';
import credentials from '@keelson/credentials-file';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import health from '@keelson/health';
import { HttpRoutes, route } from '@keelson/http';
import { CreateIdempotencyKeys } from '@keelson/http/idempotency';
import httpClient from '@keelson/http-client';
import http from '@keelson/http-express';
import retry from '@keelson/retry-opossum';
import { createTestDatabase } from '@keelson/test-support/database';
import { filling } from '@keelson/test-support/filling';
import { startKernel } from '@keelson/test-support/start-kernel';
import { z } from 'zod';

const onLoopback = { port: 0, host: '127.0.0.1' };

/** Everything that a service with every part declares, in the order of its names. */
export async function declaredMetrics(): Promise<readonly Declaration[]> {
  await using testDatabase = await createTestDatabase();
  const url = new URL(testDatabase.url);
  const directory = mkdtempSync(join(tmpdir(), 'keelson-metrics-'));
  const path = join(directory, 'password');
  writeFileSync(path, decodeURIComponent(url.password) || 'none');
  const metrics = new RecordingMetrics();
  const listening = definePlugin({
    name: 'listening',
    requires: [DatabaseService, HttpRoutes],
    register: ({ bind }) =>
      void bind(DatabaseModel).toConstantValue({ entities: [], migrations: [CreateIdempotencyKeys] }),
    async start({ container }) {
      await container.get(DatabaseService).listen('orders', () => {});
      const answers = { 200: z.object({}) };
      container
        .get(HttpRoutes)
        .mount('/once', [
          route({ method: 'post', path: '/', answers, idempotent: true, handle: async () => ({ body: {} }) }),
        ]);
    },
  });
  const kernel = await startKernel({
    plugins: {
      metrics: filling('metrics', Metrics, metrics),
      credentials,
      retry,
      health,
      http,
      'http-client': httpClient,
      database: postgresql,
      listening,
    },
    values: {
      http: onLoopback,
      credentials: { path },
      'http-client': { targets: { prices: { baseUrl: 'http://127.0.0.1:1' } } },
      database: { url: testDatabase.url, migrations: { atStart: true } },
    },
  });
  try {
    const { HttpClient } = await import('@keelson/core');
    kernel.container.get(HttpClient);
    using _process = measureProcess(metrics);
    return metrics.declared().toSorted((one, other) => (one.options.name < other.options.name ? -1 : 1));
  } finally {
    await kernel.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
