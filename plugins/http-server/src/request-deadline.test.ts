import { currentDeadline } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { DatabaseService } from '@keelson/database';
import { HttpRoutes, route } from '@keelson/http';
import { createTestDatabase } from '@keelson/test-support/database';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startAuthorService, urlOf } from './author-services.fixture.js';
import { Harness, problemFrom } from './harness.fixture.js';
import { httpOptions } from './options.js';

describe('the header with the time that a client waits', () => {
  async function harnessWith(deadline: object | undefined): Promise<Harness> {
    const options = httpOptions.parse({ port: 0, host: '127.0.0.1', ...(deadline && { deadline }) });
    const harness = new Harness(options, new FakeClock());
    harness.http.router('/left', (_request, response) => response.end(String(currentDeadline()?.remainingMs())));
    return harness.ready();
  }

  test.each([
    ['5', 5_000],
    ['0.25', 250],
    ['5s', 5_000],
    ['250ms', 250],
    ['2M', 60_000],
    ['100m', 100],
    ['1S', 1_000],
    ['500000u', 500],
    ['99999999', 60_000],
    ['0', 0],
  ])('%s is %i ms, at most as many as the deployment allows', async (text, ms) => {
    await using harness = await harnessWith({});
    const response = await fetch(`${harness.url}/left`, { headers: { 'Request-Timeout': text } });
    expect(Number(await response.text())).toBe(ms);
  });

  test.each(['', 'soon', '-1', '1h', '1e3', '5 s', '1, 2', '123456789'])('%j is a 400', async text => {
    await using harness = await harnessWith({});
    const response = await fetch(`${harness.url}/left`, { headers: { 'Request-Timeout': text } });
    expect(await problemFrom(response)).toMatchObject({
      status: 400,
      body: { type: expect.stringContaining('HTTP_DEADLINE_MALFORMED') },
    });
  });

  test('is read under the name that the deployment gives, and not at all by default', async () => {
    await using named = await harnessWith({ header: 'grpc-timeout', longestMs: 1_000 });
    const headers = { 'grpc-timeout': '1M' };
    expect(await (await fetch(`${named.url}/left`, { headers })).text()).toBe('1000');
    await using unnamed = await harnessWith(undefined);
    const response = await fetch(`${unnamed.url}/left`, { headers: { 'Request-Timeout': 'soon' } });
    expect(await response.text()).toBe('undefined');
  });
});

test('the statement of a client that waits 200 ms is cancelled on the server by then, in sessions that do not name it', async () => {
  await using database = await createTestDatabase();
  const sleeping = (path: string, separate: boolean) =>
    route({
      method: 'get',
      path,
      answers: { 200: z.string() },
      handle: async ({ em }) => {
        if (!separate) await em.execute('select pg_sleep(20)');
        else {
          const service = kernel.container.get(DatabaseService);
          await service.read(own => own.execute('select pg_sleep(20)'), { nested: 'separate' });
        }
        return { body: 'woke up' };
      },
    });
  await using kernel = await startAuthorService(
    ({ container }) => container.get(HttpRoutes).mount('/', [sleeping('/own', false), sleeping('/other', true)]),
    { values: { http: { deadline: {} }, database: { url: database.url } } },
  );
  for (const path of ['/own', '/other']) {
    const response = await fetch(`${urlOf(kernel)}${path}`, { headers: { 'Request-Timeout': '0.2' } });
    expect(response.status, path).toBe(503);
  }
});
