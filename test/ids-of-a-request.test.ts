import { definePlugin, HttpServer, type Plugin, systemClock } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import http, { currentSession } from '@keelson/http-express';
import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { startService } from '@keelson/test-support/service-process';
import { startBackend } from '@keelson/test-support/telemetry-backend';
import { Router } from 'express';
import { describe, expect, test } from 'vitest';

test('every line of a request has its id, and those of its session, the last one too, the id of the session', async () => {
  await using database = await createTestDatabase();
  const things = definePlugin({
    name: 'things',
    requires: [HttpServer, DatabaseService],
    start({ container, logger }) {
      const router = Router();
      router.post('/', async (request, response) => {
        logger.info('thing is made');
        await currentSession(request).execute('select 1');
        await container.get(DatabaseService).session(em => em.execute('select 2'), { nested: 'separate' });
        response.status(201).json({});
      });
      container.get(HttpServer).router('/things', router);
    },
  });
  await using kernel = await createTestKernel({
    clock: systemClock,
    plugins: [http, postgresql, things] as Plugin[],
    values: { http: { port: 0, host: '127.0.0.1' }, database: { url: database.url } },
  });
  const { logger } = kernel;
  const response = await fetch(`${kernel.container.get(HttpServer).url}/things`, { method: 'POST' });
  await eventually(() => logger.find('POST /things 201') !== undefined);

  const requestId = response.headers.get('x-request-id');
  const lines = logger.lines().filter(line => line.context.requestId !== undefined);
  expect(new Set(lines.map(line => line.context.requestId))).toEqual(new Set([requestId]));
  const sessionId = logger.find('thing is made')?.context.sessionId;
  expect(sessionId).toMatch(/^[0-9a-z]{4}-[0-9a-z]+$/);
  const [own, separate] = lines.filter(line => line.message === 'statement');
  expect(own?.context.sessionId).toBe(sessionId);
  expect(separate?.context.sessionId).toMatch(/^[0-9a-z]{4}-[0-9a-z]+$/);
  expect(separate?.context.sessionId).not.toBe(sessionId);
  expect(logger.find('POST /things 201')?.context).toMatchObject({ requestId, sessionId });
});

type Line = Readonly<Record<string, unknown>>;

describe.each([
  ['logger-bunyan', 'telemetry-sentry'],
  ['logger-pino', 'telemetry-otel'],
] as const)('a real service with %s and %s', (logger, telemetry) => {
  test('every line of a request has its request, trace and span, and those of its session the session', async () => {
    await using database = await createTestDatabase();
    await using backend = await startBackend(telemetry);
    await using service = await startService({
      variables: {
        KEELSON_ENV: 'postgres',
        KEELSON_LOGGER__USE: `@keelson/${logger}`,
        KEELSON_SHUTDOWN__NOTICE_MS: '0',
        KEELSON_LOGGER__LEVEL: 'debug',
        DATABASE_URL: database.url,
        ...backend.variables,
      },
    });
    const { headers } = await service.request('POST', '/products', { sku: 'mug', stock: 3 });
    await service.stop();

    const requestId = headers.get('x-request-id');
    const lines = service.stdout
      .split('\n')
      .filter(line => line.includes(`"requestId":"${requestId}"`))
      .map((line): Line => JSON.parse(line));
    const messages = lines.map(({ msg }) => msg);
    expect(messages).toEqual(expect.arrayContaining(['statement', 'POST /products 201']));
    const [{ traceId, sessionId } = {}] = lines;
    expect(traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(sessionId).toMatch(/^[0-9a-z]{4}-[0-9a-z]+$/);
    expect(lines.filter(line => line.traceId !== traceId || line.sessionId !== sessionId)).toEqual([]);

    const spans = backend.spans.filter(span => span.traceId === traceId);
    const spanOf = (line: Line) => spans.find(({ spanId }) => spanId === line.spanId)?.name;
    expect(lines.filter(line => spanOf(line) === undefined)).toEqual([]);
    expect(lines.filter(({ msg }) => msg === 'POST /products 201').map(spanOf)).toEqual(['POST /products']);
    const ofStatements = lines.filter(({ msg }) => msg === 'statement').map(spanOf);
    expect([...new Set(ofStatements)]).toEqual(['db.attempt']);
  }, 60_000);
});
