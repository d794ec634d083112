import { readFileSync } from 'node:fs';
import { definePlugin, HealthService, HttpServer, type Plugin, systemClock } from '@keelson/core';
import { createTestKernel, type RecordedLine, RecordingLogger, type TestKernel } from '@keelson/core/testing';
import { DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import health from '@keelson/health';
import http from '@keelson/http-express';
import retry from '@keelson/retry-opossum';
import { eventually } from '@keelson/test-support/eventually';
import { freePort } from '@keelson/test-support/free-port';
import { startPostgres } from '@keelson/test-support/postgres-server';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { Router } from 'express';
import { beforeAll, expect, test } from 'vitest';

const page = readFileSync(new URL('../../docs/logging.md', import.meta.url), 'utf8');
const table = page.slice(page.indexOf('## Which event has which level'));
const rows = [...table.matchAll(/^\| (.*?) +\| `(.*?)` +\| `(\w+)` +\|$/gm)].map(
  ([, event = '', line = '', level = '']) => ({
    event,
    line,
    level,
  }),
);

let lines: readonly RecordedLine[];

/** One life of a service that meets every event of the table. */
beforeAll(async () => {
  await using server = await startPostgres();
  const url = await server.createDatabase('logging');
  await using kernel = await startService(url);
  const database = kernel.container.get(DatabaseService);
  const { logger } = kernel;
  const line = (text: string) => eventually(() => logger.find(text) !== undefined, { that: text });

  await requestAll(kernel.container.get(HttpServer).url ?? '');
  await kernel.kernel.operate('retry', 'hold', ['database', 'closed']);
  await kernel.kernel.operate('retry', 'release', ['database']);

  await database.read(em => em.execute('select pg_sleep(0.15)'));
  let attempts = 0;
  await database.session(async em => {
    attempts += 1;
    if (attempts === 1) await em.execute("do $$ begin raise exception 'once' using errcode = '40001'; end $$");
    await em.execute('select 1');
  });
  const session = await database.openSession();
  await session.em.execute('select 1');
  await line('a connection is lent for very long');
  await session.rollback();

  let status: 'pass' | 'fail' = 'pass';
  kernel.container
    .get(HealthService)
    .register({ name: 'mail', critical: false, intervalMs: 100, check: async () => ({ status }) });
  status = 'fail';
  await line('health check mail fails');
  status = 'pass';
  await line('health check mail passes again');

  await server.stop('immediate');
  await database.session(em => em.execute('select 1'), { retry: 'never' }).catch(() => {});
  await eventually(async () => {
    await database.session(em => em.execute('select 1'), { timeoutMs: 300 }).catch(() => {});
    return logger.find('the breaker of "database" is open') !== undefined;
  });
  await server.start();
  await eventually(async () => {
    await database.session(em => em.execute('select 1'), { timeoutMs: 2_000 }).catch(() => {});
    return logger.find('the breaker of "database" is closed') !== undefined;
  });
  await kernel.stop();
  lines = [...logger.lines(), ...(await neverReached()), ...(await neverStarted())];
}, 120_000);

function startService(url: string): Promise<TestKernel> {
  const things = definePlugin({
    name: 'things',
    requires: [HttpServer],
    start({ container }) {
      const router = Router();
      router.get('/broken', () => {
        throw new Error('broken');
      });
      router.get('/:id', (_request, response) => void response.json({}));
      container.get(HttpServer).router('/things', router);
    },
  });
  const flaky: Plugin = {
    name: 'flaky',
    start() {
      throw new Error('not today');
    },
  };
  return createTestKernel({
    clock: systemClock,
    plugins: [http, health, retry, postgresql, things, flaky] as Plugin[],
    values: {
      http: { port: 0, host: '127.0.0.1' },
      database: { url, slowStatements: { thresholdMs: 100 }, pool: { leakAfterMs: 200 } },
      retry: { policies: { default: { breaker: { minimumCalls: 2, breakMs: 300 } } } },
      flaky: { optional: true },
    },
  });
}

async function requestAll(url: string): Promise<void> {
  for (const path of ['/things/1', '/livez', '/nowhere', '/things/broken']) await (await fetch(url + path)).text();
}

async function neverReached(): Promise<readonly RecordedLine[]> {
  const url = `postgresql://nobody@127.0.0.1:${await freePort()}/none`;
  await using service = createPostgresqlService({ url, options: { connect: { timeoutMs: 300 } } });
  await service.database.connect().catch(() => {});
  return service.logger.lines();
}

async function neverStarted(): Promise<readonly RecordedLine[]> {
  const logger = new RecordingLogger();
  const broken: Plugin = {
    name: 'broken',
    start() {
      throw new Error('never');
    },
  };
  await createTestKernel({ slots: { logger }, plugins: [broken] }).catch(() => {});
  return logger.lines();
}

test('the table has a row for each part of the service', () => {
  expect(rows.length).toBeGreaterThan(20);
});

test.each(rows)('$event: $level', ({ line, level }) => {
  const found = lines.filter(
    each => each.message === line || (line === 'listening on' && each.message.startsWith(line)),
  );
  expect(found.map(each => each.level)).toContain(level);
  // A breaker that opens again after a probe belongs to the probe.
  const levels = found.filter(each => each.facts.from !== 'half-open' || each.facts.to !== 'open');
  expect([...new Set(levels.map(each => each.level))]).toEqual([level]);
});
