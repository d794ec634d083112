import type { DatabaseModel } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { connectPostgresqlService, type PostgresqlServiceOptions } from '@keelson/test-support/postgresql-service';
import { queryOnce } from '@keelson/test-support/query-once';
import { Migration } from '@mikro-orm/migrations';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

class First extends Migration {
  override up(): void {
    this.addSql('create table first (id integer)');
  }

  override down(): void {
    this.addSql('drop table first');
  }
}

class Second extends Migration {
  override up(): void {
    this.addSql('create table second (id integer)');
  }

  override down(): void {
    this.addSql('drop table second');
  }
}

class Third extends Migration {
  override up(): void {
    this.addSql('create table third (id integer)');
  }
}

class Broken extends Migration {
  override up(): void {
    this.addSql('create table second (id integer)');
    this.addSql('insert into first values (1)');
    this.addSql('alter table nowhere add column id integer');
  }
}

describe('the migrations of a database', () => {
  let testDatabase: TestDatabase;

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
  });

  afterEach(() => testDatabase[Symbol.asyncDispose]());

  async function connected(
    migrations: NonNullable<DatabaseModel['migrations']>,
    options: PostgresqlServiceOptions['options'] = {},
  ) {
    const models = [{ entities: [], migrations }];
    const service = await connectPostgresqlService({ url: testDatabase.url, models, options });
    return service;
  }

  async function tables(): Promise<string[]> {
    const rows = await queryOnce(
      testDatabase.url,
      `select tablename from pg_tables where schemaname = 'public' order by 1`,
    );
    return rows.map(row => row.tablename);
  }

  test('status says what is applied since when, and what is not, and makes no table', async () => {
    await using service = await connected([First, Second]);
    const { database } = service;
    expect(await database.migrations()).toEqual({ applied: [], pending: ['First', 'Second'], unknown: [] });
    expect(await tables()).toEqual([]);
    const before = Date.now();
    await database.migrate({ to: 'First' });
    const { applied, pending } = await database.migrations();
    expect(applied.map(({ name }) => name)).toEqual(['First']);
    expect(applied[0]?.at.getTime()).toBeGreaterThan(before - 2_000);
    expect(applied[0]?.at.getTime()).toBeLessThan(Date.now() + 2_000);
    expect(pending).toEqual(['Second']);
  });

  test('up stops at the given migration', async () => {
    await using service = await connected([First, Second, Third]);
    const { database } = service;
    expect(await database.migrate({ to: 'Second' })).toEqual(['First', 'Second']);
    expect(await database.migrate({ to: 'First' })).toEqual([]);
    expect(await database.migrate()).toEqual(['Third']);
    await expect(database.migrate({ to: 'Fourth' })).rejects.toMatchObject({
      code: 'DATABASE_MIGRATION_FAILED',
      facts: { migration: 'Fourth' },
      hint: 'Known migrations: First, Second, Third.',
    });
  });

  test('revert takes back the last one, one at a time', async () => {
    await using service = await connected([First, Second]);
    const { database } = service;
    await database.migrate();
    expect(await database.revert()).toBe('Second');
    expect(await tables()).toEqual(['first', 'mikro_orm_migrations']);
    expect(await database.revert()).toBe('First');
    expect(await database.revert()).toBeUndefined();
    expect(await database.migrations()).toMatchObject({ applied: [], pending: ['First', 'Second'] });
  });

  test('one that cannot be taken back says which it is', async () => {
    await using service = await connected([Third]);
    await service.database.migrate();
    await expect(service.database.revert()).rejects.toMatchObject({ facts: { migration: 'Third' } });
    expect((await service.database.migrations()).applied).toHaveLength(1);
  });

  test('one of a newer version is reported, and not reverted', async () => {
    {
      await using newer = await connected([First, Second]);
      await newer.database.migrate();
    }
    await using service = await connected([First]);
    expect(await service.database.migrations()).toMatchObject({ pending: [], unknown: ['Second'] });
    await expect(service.database.revert()).rejects.toMatchObject({
      message: expect.stringContaining('Second, is not part of this version'),
    });
  });

  test('one that fails is named, and nothing of the run is stored', async () => {
    await using service = await connected([First, Broken]);
    await expect(service.database.migrate()).rejects.toMatchObject({
      code: 'DATABASE_MIGRATION_FAILED',
      message: expect.stringContaining('The migration Broken failed'),
      facts: { migration: 'Broken', sqlState: '42P01' },
    });
    expect((await tables()).filter(table => table !== 'mikro_orm_migrations')).toEqual([]);
    expect(service.database.stats()).toMatchObject({ busy: 0, waiting: 0 });
  });

  test('up and down asked for at the same time take turns', async () => {
    await using service = await connected([First, Second]);
    const { database } = service;
    const reported = await Promise.all([
      database.migrate(),
      database.revert(),
      database.migrate({ to: 'Second' }),
      database.revert(),
    ]);
    expect(reported).toEqual([['First', 'Second'], 'Second', ['Second'], 'Second']);
  });

  describe('while another instance migrates', () => {
    /** Holds what a migrating instance holds, seen from outside. */
    async function migratingInstance(tableName: string) {
      const client = new pg.Client({ connectionString: testDatabase.url });
      await client.connect();
      await client.query('create table gate (id integer)');
      await client.query('begin');
      await client.query('lock table gate in access exclusive mode');
      class Waiting extends Migration {
        override up(): void {
          this.addSql('select * from gate');
        }
      }
      const service = await connected([Waiting], { migrations: { tableName } });
      const done = service.database.migrate();
      await eventually(async () => {
        const found = await client.query(`select 1 from pg_locks
          where locktype = 'advisory' and granted
          and database = (select oid from pg_database where datname = current_database())`);
        return found.rowCount === 1;
      });
      return {
        async finish() {
          await client.query('commit');
          await client.end();
          await done;
          await service[Symbol.asyncDispose]();
        },
      };
    }

    test('one of the same table waits, for no longer than its time', async () => {
      const other = await migratingInstance('mikro_orm_migrations');
      const timeoutMs = 2_000;
      await using service = await connected([First], { migrations: { timeoutMs } });
      await expect(service.database.migrate()).rejects.toMatchObject({
        code: 'DATABASE_MIGRATION_FAILED',
        message: `Another instance was still migrating after ${timeoutMs} ms.`,
      });
      await other.finish();
      expect(await service.database.migrate()).toEqual(['First']);
    });

    test('one whose last attempt has a moment left waits for that instance, too', async () => {
      const other = await migratingInstance('mikro_orm_migrations');
      for (let timeoutMs = 100; timeoutMs < 220; timeoutMs += 4) {
        await using service = await connected([First], { migrations: { timeoutMs } });
        await expect(service.database.migrate()).rejects.toMatchObject({
          message: `Another instance was still migrating after ${timeoutMs} ms.`,
        });
      }
      await other.finish();
    });

    test('one of another service with another table does not wait', async () => {
      const other = await migratingInstance('orders_migrations');
      await using service = await connected([First], { migrations: { tableName: 'billing_migrations' } });
      expect(await service.database.migrate()).toEqual(['First']);
      await other.finish();
    });
  });

  test('a table in a schema of its own', async () => {
    await using service = await connected([First], { migrations: { tableName: 'house.keeping' } });
    expect(await service.database.migrate()).toEqual(['First']);
    expect((await service.database.migrations()).applied).toHaveLength(1);
    expect(await service.database.revert()).toBe('First');
  });
});
