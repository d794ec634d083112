import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { createPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { Migration } from '@mikro-orm/migrations';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** Waits until the holder of the lock on table `gate` releases it. */
class Gated extends Migration {
  override up(): void {
    this.addSql(`insert into log values ('Gated')`);
    this.addSql('lock table gate in share update exclusive mode');
  }
}

describe('a migration whose network swallows everything', () => {
  let testDatabase: TestDatabase;
  let admin: pg.Client;
  let proxy: TcpProxy;
  let service: PostgresqlService;

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    admin = new pg.Client({ connectionString: testDatabase.url });
    await admin.connect();
    await admin.query('create table log (name text); create table gate (id integer)');
    proxy = await startTcpProxy({ to: testDatabase.url });
    service = createPostgresqlService({
      url: proxy.url(),
      models: [{ entities: [], migrations: [Gated] }],
      options: { silentAfterMs: 300 },
    });
    await service.database.connect();
  });
  afterEach(async () => {
    await proxy.setMode('pass');
    await service[Symbol.asyncDispose]();
    await proxy.dispose();
    await admin.end();
    await testDatabase[Symbol.asyncDispose]();
  });

  const count = async (sql: string): Promise<number> =>
    (await admin.query(`select count(*)::int as n ${sql}`)).rows[0].n;
  const waiting = () => count(`from pg_locks where relation = 'gate'::regclass and not granted`);
  const locks = () => count(`from pg_locks where locktype = 'advisory'`);

  test('fails with what is stored, gives its lock back, and is done once when it is run again', async () => {
    await admin.query('begin; lock table gate in share mode');
    const failed = service.database.migrate().catch((error: unknown) => error);
    await eventually(async () => expect(await waiting()).toBe(1));
    await proxy.setMode('lose');
    await admin.query('commit');
    await eventually(async () =>
      expect(await count(`from pg_stat_activity where state = 'idle in transaction'`)).toBe(1),
    );
    await proxy.setMode('pass');
    expect(await failed).toMatchObject({
      code: 'DATABASE_MIGRATION_FAILED',
      message: expect.stringContaining('The migration Gated failed and nothing of this run is stored'),
      facts: { migration: 'Gated', done: [] },
    });
    await eventually(async () => expect(await locks()).toBe(0));
    expect(await count('from log')).toBe(0);
    expect(await service.database.migrate()).toEqual(['Gated']);
    expect([await count('from log'), await count('from mikro_orm_migrations')]).toEqual([1, 1]);
  });
});
