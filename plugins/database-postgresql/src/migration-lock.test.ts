import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DatabaseModel } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import {
  connectPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { Migration } from '@mikro-orm/migrations';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { kinds } from './migrating.fixture.js';

class Before extends Migration {
  override up(): void {
    this.addSql(`insert into log values ('Before')`);
  }
}

/** Waits until the holder of the lock on table `gate` releases it. */
class Gated extends Migration {
  override up(): void {
    this.addSql(`insert into log values ('Gated')`);
    this.addSql('lock table gate in share update exclusive mode');
  }
}

class GatedApart extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override up(): void {
    this.addSql(`insert into log values ('GatedApart')`);
    this.addSql('create index concurrently gate_index on gate (id)');
  }
}

class After extends Migration {
  override up(): void {
    this.addSql(`insert into log values ('After')`);
  }
}

describe('the lock of those who migrate', () => {
  let testDatabase: TestDatabase;
  let admin: pg.Client;

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    admin = new pg.Client({ connectionString: testDatabase.url });
    await admin.connect();
    await admin.query('create table log (name text); create table gate (id integer)');
  });

  afterEach(async () => {
    await admin.end();
    await testDatabase[Symbol.asyncDispose]();
  });

  async function instance(
    migrations: NonNullable<DatabaseModel['migrations']>,
    options: PostgresqlServiceOptions['options'] = {},
    url = testDatabase.url,
  ) {
    const service = await connectPostgresqlService({ url, models: [{ entities: [], migrations }], options });
    return service;
  }

  const closeGate = () => admin.query('begin; lock table gate in share mode');
  const openGate = () => admin.query('commit');

  /** How many stand before the gate. */
  async function waiting(): Promise<number> {
    const { rows } = await admin.query(
      `select count(*)::int as count from pg_locks where relation = 'gate'::regclass and not granted`,
    );
    return rows[0].count;
  }

  async function names(table: 'log' | 'mikro_orm_migrations'): Promise<string[]> {
    const { rows } = await admin.query(`select name from ${table} order by ctid`);
    return rows.map(({ name }) => name);
  }

  /** Ends the connection that holds the lock; of a run outside of a transaction, the one that only holds it. */
  async function endLock(): Promise<void> {
    const { rowCount } = await admin.query(`
      select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
      where locktype = 'advisory' and granted and datname = current_database()
      order by state = 'idle in transaction' desc limit 1`);
    expect(rowCount).toBe(1);
  }

  /** It has asked for the lock a few times more, in vain. */
  async function triedByOther({ database }: PostgresqlService): Promise<void> {
    const before = database.stats().counters.acquired;
    await eventually(() => database.stats().counters.acquired > before + 3);
  }

  test('a migration whose lock is lost is undone, and done by the instance that waits, once', async () => {
    const migrations = [Before, Gated, After];
    await using one = await instance(migrations);
    await using other = await instance(migrations);
    await closeGate();
    const first = one.database.migrate().catch((error: unknown) => error);
    await eventually(async () => (await waiting()) === 1);
    const second = other.database.migrate();
    await endLock();
    expect(await first).toMatchObject({
      code: 'DATABASE_MIGRATION_FAILED',
      message: expect.stringContaining('The migration Gated failed and nothing of this run is stored'),
      facts: { migration: 'Gated', done: [] },
    });
    await eventually(async () => (await waiting()) === 1);
    await openGate();
    expect(await second).toEqual(['Before', 'Gated', 'After']);
    expect(await names('log')).toEqual(['Before', 'Gated', 'After']);
    expect(await names('mikro_orm_migrations')).toEqual(['Before', 'Gated', 'After']);
  });

  test('one outside of a transaction goes on when its lock is lost, and no other run starts', async () => {
    const migrations = [Before, GatedApart, After];
    await using one = await instance(migrations);
    await using other = await instance(migrations);
    await closeGate();
    const first = one.database.migrate();
    await eventually(async () => (await waiting()) === 1);
    const second = other.database.migrate();
    await endLock();
    await triedByOther(other);
    expect(await waiting()).toBe(1);
    await openGate();
    const applied = (await Promise.all([first, second])).flat();
    expect(applied.sort()).toEqual(['After', 'Before', 'GatedApart']);
    expect(await names('log')).toEqual(['Before', 'GatedApart', 'After']);
    expect(await names('mikro_orm_migrations')).toEqual(['Before', 'GatedApart', 'After']);
    const { rows } = await admin.query(`select indisvalid from pg_index where indexrelid = 'gate_index'::regclass`);
    expect(rows).toEqual([{ indisvalid: true }]);
  });

  test.each(['Together', 'Apart'] as const)(
    'a process that is killed while it migrates (%s) leaves nothing twice',
    async kind => {
      await closeGate();
      const fixture = fileURLToPath(new URL('./migrating.fixture.ts', import.meta.url));
      const env = { ...process.env, MIGRATING_URL: testDatabase.url, MIGRATING_KIND: kind };
      const killed = spawn(process.execPath, [fixture], { env, stdio: ['ignore', 'ignore', 'inherit'] });
      const exited = once(killed, 'exit');
      await eventually(async () => (await waiting()) === 1, { timeoutMs: 20_000 });
      killed.kill('SIGKILL');
      await exited;
      await using other = await instance([kinds[kind]]);
      const second = other.database.migrate();
      await triedByOther(other);
      // The server goes on for the one that is dead, and the other has not begun.
      expect(await waiting()).toBe(1);
      await openGate();
      expect(await second).toEqual([kind]);
      expect(await names('mikro_orm_migrations')).toEqual([kind]);
      if (kind === 'Together') expect(await names('log')).toEqual([kind]);
      const { rows } = await admin.query('select indisvalid from pg_index where indrelid = $1::regclass', ['gate']);
      expect(rows).toEqual(kind === 'Apart' ? [{ indisvalid: true }] : []);
    },
    30_000,
  );

  test.each([
    ['in a transaction', Gated],
    ['outside of one', GatedApart],
  ])(
    'a run whose machine is gone (%s) lets others migrate when its own time is over',
    async (_, kind) => {
      await using proxy = await startTcpProxy({ to: testDatabase.url });
      await using gone = await instance([kind], { migrations: { timeoutMs: 2_000 } }, proxy.url());
      await closeGate();
      const first = gone.database.migrate().catch((error: unknown) => error);
      await eventually(async () => (await waiting()) === 1);
      proxy.stall();
      await openGate();
      await using other = await instance([Before], { migrations: { timeoutMs: 10_000 } });
      expect(await other.database.migrate()).toEqual(['Before']);
      expect(await first).toMatchObject({ code: 'DATABASE_MIGRATION_FAILED' });
    },
    20_000,
  );

  test('two instances that begin together, 20 times, do each migration once', async () => {
    const migrations = [Before, GatedApart, After];
    await using one = await instance(migrations);
    await using other = await instance(migrations);
    for (let round = 0; round < 20; round++) {
      const applied = await Promise.all([one.database.migrate(), other.database.migrate()]);
      expect(applied.flat().sort()).toEqual(['After', 'Before', 'GatedApart']);
      expect(await names('log')).toEqual(['Before', 'GatedApart', 'After']);
      expect(await names('mikro_orm_migrations')).toEqual(['Before', 'GatedApart', 'After']);
      await admin.query('truncate log; drop index gate_index; drop table mikro_orm_migrations');
    }
  }, 60_000);

  test.each([Gated, GatedApart])('is kept for long without being reported as a leak: %o', async kind => {
    await using one = await instance([kind], { pool: { leakAfterMs: 20 } });
    await closeGate();
    const done = one.database.migrate();
    await eventually(async () => (await waiting()) === 1);
    await admin.query('select pg_sleep(0.2)');
    await openGate();
    await done;
    expect(one.logger.lines('warn')).toEqual([]);
  });

  test('an index is built concurrently however long others keep it waiting', async () => {
    await using one = await instance([GatedApart], { lockTimeoutMs: 20, statementTimeoutMs: 1_000 });
    await closeGate();
    const done = one.database.migrate();
    await eventually(async () => (await waiting()) === 1);
    await admin.query('select pg_sleep(1.1)');
    await openGate();
    expect(await done).toEqual(['GatedApart']);
    const settings = await one.database.session(em => em.execute('show lock_timeout'));
    expect(settings).toEqual([{ lock_timeout: '20ms' }]);
  });

  test('one outside of a transaction needs a second connection, and says so before anything is done', async () => {
    await using one = await instance([Before, GatedApart], { pool: { max: 1 } });
    await expect(one.database.migrate()).rejects.toMatchObject({
      message: expect.stringContaining('nothing was done'),
      hint: 'Set pool.max to 2 or more.',
    });
    expect(await names('log')).toEqual([]);
  });

  test('shows what the last holder has left, also where the server would keep one snapshot', async () => {
    class Isolated extends Migration {
      override up(): void {
        this.addSql(`insert into log values (current_setting('transaction_isolation'))`);
      }
    }
    await admin.query(`alter database "${admin.database}" set default_transaction_isolation = 'serializable'`);
    await using one = await instance([Isolated]);
    await one.database.migrate();
    expect(await names('log')).toEqual(['read committed']);
  });

  test('a COMMIT that the server never heard of is undone, and is said to be', async () => {
    await using proxy = await startTcpProxy({ to: testDatabase.url });
    await using one = await instance([Before], {}, proxy.url());
    void proxy.onceAtCommit('before');
    await expect(one.database.migrate()).rejects.toMatchObject({
      message: expect.stringContaining('The migration Before failed and nothing of this run is stored'),
    });
    expect(await names('log')).toEqual([]);
    expect(await one.database.migrate()).toEqual(['Before']);
  });

  test('a COMMIT that was done, and whose answer was lost, is no failure', async () => {
    await using proxy = await startTcpProxy({ to: testDatabase.url });
    await using one = await instance([Before, GatedApart, After], {}, proxy.url());
    void proxy.onceAtCommit('after');
    expect(await one.database.migrate()).toEqual(['Before', 'GatedApart', 'After']);
    expect(await names('log')).toEqual(['Before', 'GatedApart', 'After']);
  });
});
