import { definePlugin, HttpServer, Kernel, type Plugin } from '@keelson/core';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import retry from '@keelson/retry-opossum';
import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { type RequestHandler, Router } from 'express';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { connectTo } from './harness.fixture.js';
import http, { currentSession, repeatable } from './index.js';

const insert: RequestHandler = async (request, response) => {
  await currentSession(request).insert(Author, { id: 1, email: 'a@example.org' });
  response.status(201).end();
};
const inserting = repeatable(async em => {
  await em.insert(Author, { id: 1, email: 'a@example.org' });
  return { status: 201 };
});

describe.each([
  ['its own time', { http: { drainTimeoutMs: 300 }, shutdown: {} }],
  ['the time of the kernel', { http: {}, shutdown: { drainMs: 300 } }],
])(
  'a request that waits for the database when the time to drain is over, by %s,',
  (_whose, { http: times, shutdown }) => {
    test.each([
      ['in its session', insert],
      ['in a repeatable handler', inserting],
    ])('gets a 503 that closes its connection, and stores nothing: %s', async (_where, handler) => {
      await using database = await createTestDatabase();
      await using ending = new AsyncDisposableStack();
      const witness = ending.adopt(new pg.Client(database.adminUrl), client => client.end());
      await witness.connect();
      const authors = definePlugin({
        name: 'authors',
        requires: [HttpServer],
        register: ({ bind }) => void bind(DatabaseModel).toConstantValue(sampleModel),
        start: ({ container }) => container.get(HttpServer).router('/authors', Router().post('/', handler)),
      });
      const kernel = await Kernel.start({
        config: { service: 'authors', shutdown: { noticeMs: 0, ...shutdown } },
        plugins: { http, retry, database: postgresql, authors } as Record<string, Plugin>,
        overrides: {
          plugins: {
            http: { port: 0, host: '127.0.0.1', ...times },
            database: { url: database.url, migrations: { atStart: true } },
          },
        },
        variables: {},
      });
      ending.defer(async () => void (await kernel.stop()));
      await witness.query('begin');
      await witness.query('lock table author');
      const client = await connectTo(Number(new URL(kernel.container.get(HttpServer).url ?? '').port));
      client.send('POST /authors HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n');
      const waiting = () => kernel.container.get(DatabaseService).stats().busy === 1;
      await eventually(waiting, { that: 'the request to wait' });
      const stop = kernel.stop();
      const received = await client.until(({ closed }) => closed);
      expect(received).toMatch(/^HTTP\/1.1 503 [\s\S]*\r\nConnection: close\r\n[\s\S]*DATABASE_SESSION_ABORTED/);
      expect(received).toMatch(/\r\nRetry-After: 1\r\n/);
      await stop;
      await witness.query('commit');
      expect((await witness.query('select from author')).rowCount).toBe(0);
    });
  },
);
