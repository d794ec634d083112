import { Kernel, type Plugin, systemClock } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { DatabaseService } from '@keelson/database';
import { expectStatements } from '@keelson/database/testing';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlServiceOptions } from '@keelson/test-support/postgresql-service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import postgresql from './index.js';

let testDatabase: TestDatabase;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  await using setup = await connectPostgresqlService({ url: testDatabase.url });
  await setup.database.session(em => em.execute('create table customer (id int primary key, email text)'));
});
afterAll(() => testDatabase[Symbol.asyncDispose]());

async function open(options: PostgresqlServiceOptions['options'] = {}) {
  const service = await connectPostgresqlService({ url: testDatabase.url, options });
  return service;
}

const byId = (id: number) => `select * from customer where id = ${id} and email = 'hush-${id}'`;

describe('a slow statement', () => {
  test('is logged with its shape, the name of its session and how often, and without a value', async () => {
    await using service = await open({ slowStatements: { thresholdMs: 50 } });
    for (let time = 0; time < 2; time++) {
      await service.database.read(em => em.execute("select pg_sleep(0.06), 'hush'"), { name: 'report' });
    }
    const lines = service.logger.findAll('slow statement');
    expect(lines.map(({ level, facts }) => ({ level, ...facts }))).toEqual(
      [1, 2].map(slowSoFar =>
        expect.objectContaining({ level: 'warn', session: 'report', statement: 'select pg_sleep(?), ?', slowSoFar }),
      ),
    );
    expect(JSON.stringify(service.logger.lines())).not.toContain('hush');
  });

  test('is none when that is off', async () => {
    await using service = await open({ slowStatements: false });
    await service.database.read(em => em.execute('select pg_sleep(0.05)'));
    expect(service.logger.find('slow statement')).toBeUndefined();
  });
});

describe('a statement that repeats in a session', () => {
  const loadOneByOne = (database: DatabaseService, count: number) =>
    database.read(
      async em => {
        for (let id = 0; id < count; id++) await em.execute(byId(id));
      },
      { name: 'list' },
    );

  test('is logged once for each shape and session name, when there are more than allowed', async () => {
    await using service = await open({ repeatedStatements: { moreThan: 5 } });
    await loadOneByOne(service.database, 5);
    expect(service.logger.find('a statement repeats')).toBeUndefined();
    await loadOneByOne(service.database, 6);
    expect(service.logger.findAll('a statement repeats')).toHaveLength(1);
    await loadOneByOne(service.database, 20);
    const lines = service.logger.findAll('a statement repeats');
    expect(lines.map(({ level, facts }) => ({ level, ...facts }))).toEqual([
      expect.objectContaining({
        level: 'warn',
        session: 'list',
        statement: 'select * from customer where id = ? and email = ?',
        moreThan: 5,
      }),
    ]);
    expect(JSON.stringify(service.logger.lines())).not.toContain('hush');
  });

  test('is counted, and not logged, in production', async () => {
    await using kernel = await createTestKernel({
      clock: systemClock,
      environment: 'production',
      plugins: [postgresql as Plugin],
      values: { database: { url: testDatabase.url } },
    });
    const { logger, metrics } = kernel;
    await loadOneByOne(kernel.container.get(DatabaseService), 30);
    await loadOneByOne(kernel.container.get(DatabaseService), 30);
    expect(logger.find('a statement repeats')).toBeUndefined();
    expect(
      metrics.value('db.client.session.repeated_statements', {
        'db.client.connection.pool.name': 'database',
        'db.operation.name': 'list',
      }),
    ).toBe(2);
  });

  test('has no line when that is off', async () => {
    await using service = await open({ repeatedStatements: false });
    await loadOneByOne(service.database, 30);
    expect(service.logger.find('a statement repeats')).toBeUndefined();
  });
});

describe('expectStatements', () => {
  test('passes the result on when the number is right; BEGIN and COMMIT do not count', async () => {
    await using service = await open();
    const work = () =>
      service.database.session(async em => {
        await em.execute('select 1');
        return em.execute('select 2 as two');
      });
    expect(await expectStatements(service.database, 2, work)).toEqual([{ two: 2 }]);
    await expectStatements(service.database, 0, async () => {});
  });

  test('fails with the shapes and their number, and without values', async () => {
    await using service = await open();
    const work = () =>
      service.database.session(async em => {
        for (let id = 0; id < 3; id++) await em.execute(byId(id));
      });
    await expect(expectStatements(service.database, 1, work)).rejects.toMatchObject({
      name: 'AssertionError',
      message: '3 statements ran, not 1:\n  3 x select * from customer where id = ? and email = ?  (session session)',
      actual: 3,
      expected: 1,
    });
  });
});

describe('keelson do database', () => {
  test('statements lists shapes, and explain shows the plan of one without values', async () => {
    await using kernel = await Kernel.start({
      config: { service: 'test' },
      variables: {},
      plugins: { database: postgresql as Plugin },
      overrides: {
        plugins: {
          database: { url: testDatabase.url, slowStatements: { thresholdMs: 1 }, repeatedStatements: { moreThan: 1 } },
        },
      },
    });
    const database = kernel.container.get(DatabaseService);
    expect(await kernel.operate('database', 'statements', [])).toContain('No statement was slow');
    await database.session(
      async em => {
        await em.execute("insert into customer (id, email) values (1, 'hush') on conflict do nothing");
        for (let id = 0; id < 3; id++) await em.execute(byId(id));
        await em.execute("select interval '1 day', pg_sleep(0.01)");
        await em.execute('lock table customer in share mode');
        await em.execute('lock table customer in share mode');
      },
      { name: 'list' },
    );
    const listed = await kernel.operate('database', 'statements', []);
    expect(listed).toMatch(
      /repeated in 1 session; sessions: list \d+\n +select \* from customer where id = \? and email = \?/,
    );
    const idOf = (shape: RegExp) => new RegExp(`^([0-9a-f]{8}) .*\\n +${shape.source}`, 'm').exec(listed)?.[1] ?? '';
    const plan = await kernel.operate('database', 'explain', [idOf(/select \* from customer/)]);
    expect(plan).toMatch(
      /Index Scan using customer_pkey on customer .*\n +Index Cond: \(id = \$1\)\n +Filter: \(email = \$2\)/,
    );
    expect(listed + plan).not.toContain('hush');
    await expect(kernel.operate('database', 'explain', [idOf(/select interval/)])).rejects.toMatchObject({
      code: 'DATABASE_EXPLAIN_FAILED',
    });
    await expect(kernel.operate('database', 'explain', [idOf(/lock table/)])).rejects.toThrow(
      'It is a command that has no plan.',
    );
    await expect(kernel.operate('database', 'explain', ['00000000'])).rejects.toMatchObject({
      code: 'DATABASE_SHAPE_UNKNOWN',
    });
  });

  test('explain shows the plan of a statement that a span named, and that did not stand out', async () => {
    await using service = await createTestKernel({
      plugins: [postgresql as Plugin],
      values: { database: { url: testDatabase.url } },
      clock: systemClock,
    });
    const { container, kernel, telemetry } = service;
    await container.get(DatabaseService).read(em => em.execute(byId(7)));
    const span = telemetry.spans().find(({ operation }) => operation === 'db.query');
    const shape = String(span?.attributes['keelson.statement.shape']);
    expect(await kernel.operate('database', 'explain', [shape])).toContain('Filter: (email = $2)');
  });
});
