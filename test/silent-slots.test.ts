import {
  definePlugin,
  HttpClient,
  HttpServer,
  Metrics,
  silentMetrics,
  silentTelemetry,
  Telemetry,
} from '@keelson/core';
import { DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import health from '@keelson/health';
import httpClient from '@keelson/http-client';
import http, { currentSession, repeatable } from '@keelson/http-express';
import retry from '@keelson/retry-opossum';
import { createTestDatabase } from '@keelson/test-support/database';
import { filling } from '@keelson/test-support/filling';
import { startKernel } from '@keelson/test-support/start-kernel';
import { Router } from 'express';
import { expect, test } from 'vitest';

/** The methods that are called, by their names. To read `enabled` and `silent` is no call. */
class Calls {
  readonly names: string[] = [];

  /** Without those of the samples of health, which run beside the requests. */
  get ofRequests(): readonly string[] {
    return this.names.filter(name => name !== 'suppress');
  }

  watching<T extends object>(silent: T): T {
    return new Proxy(silent, {
      get: (target, key, receiver) => {
        const value: unknown = Reflect.get(target, key, receiver);
        if (typeof value !== 'function') return value;
        return (...words: unknown[]): unknown => {
          this.names.push(String(key));
          return Reflect.apply(value, target, words);
        };
      },
    });
  }
}

const things = definePlugin({
  name: 'things',
  requires: [HttpServer, DatabaseService, HttpClient],
  start({ container, logger }) {
    const server = container.get(HttpServer);
    const database = container.get(DatabaseService);
    const router = Router();
    router.get('/', async (request, response) => {
      logger.info('a line of the handler');
      response.json(await currentSession(request).execute('select 1'));
    });
    router.post(
      '/',
      repeatable(async em => ({ status: 201, body: await em.execute('select 2') })),
    );
    router.get('/called', async (_request, response) => {
      await database.read(em => em.execute('select 3'));
      response.json((await container.get(HttpClient).fetch(`${server.url}/things`)).status);
    });
    router.get('/broken', () => {
      throw new Error('broken');
    });
    server.router('/things', router);
  },
});

test('a request calls nothing of silent telemetry and silent metrics', async () => {
  await using database = await createTestDatabase();
  const calls = new Calls();
  const silent = {
    telemetry: filling('telemetry', Telemetry, calls.watching(silentTelemetry)),
    metrics: filling('metrics', Metrics, calls.watching(silentMetrics)),
  };
  await using kernel = await startKernel({
    plugins: { ...silent, http, health, retry, database: postgresql, 'http-client': httpClient, things },
    values: {
      database: { url: database.url },
    },
  });
  const { url } = kernel.container.get(HttpServer);
  calls.names.length = 0;
  const statusOf = async (method: string, path: string) => (await fetch(`${url}${path}`, { method })).status;
  expect(await statusOf('GET', '/things')).toBe(200);
  expect(await statusOf('POST', '/things')).toBe(201);
  expect(await statusOf('GET', '/things/called')).toBe(200);
  expect(await statusOf('GET', '/things/nowhere')).toBe(404);
  expect(await statusOf('GET', '/readyz')).toBe(200);
  expect(calls.ofRequests).toEqual([]);

  expect(await statusOf('GET', '/things/broken')).toBe(500);
  expect(calls.ofRequests).toEqual(['captureError']);
}, 30_000);
