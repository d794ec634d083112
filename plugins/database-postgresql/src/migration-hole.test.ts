import { type Clock, systemClock } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import type { DatabaseModel } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
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

class OwnCommit extends Migration {
  override up(): void {
    this.addSql(`insert into log values ('OwnCommit'); commit`);
    this.addSql('delete from gate');
  }
}

class Short extends Migration {
  override up(): void {
    this.addSql(`insert into log values ('Short')`);
  }
}

class Apart extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override up(): void {
    this.addSql(`insert into log values ('Apart') on conflict do nothing`);
    this.addSql('delete from gate');
  }
}

const timeoutMs = 10_000;
/** For the connection to be closed after the time of the run, and for the look at the outcome. */
const [cutWithinMs, lookWithinMs] = [1_500, 5_500];

interface Ending {
  readonly outcome: unknown;
  readonly tookMs: number;
}

/** Other files have databases on the same server. */
const here = 'database = (select oid from pg_database where datname = current_database())';

describe('a migration whose network swallows everything', () => {
  let testDatabase: TestDatabase;
  let admin: pg.Client;
  let proxy: TcpProxy;
  let service: PostgresqlService;

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    admin = new pg.Client({ connectionString: testDatabase.url });
    await admin.connect();
    await admin.query('create table log (name text primary key); create table gate (id integer)');
    proxy = await startTcpProxy({ to: testDatabase.url });
  });
  afterEach(async () => {
    await proxy.setMode('pass');
    await service[Symbol.asyncDispose]();
    await proxy.dispose();
    await admin.end();
    await testDatabase[Symbol.asyncDispose]();
  });

  async function connect(migrations: NonNullable<DatabaseModel['migrations']>, clock: Clock) {
    service = await connectPostgresqlService({
      url: proxy.url(),
      models: [{ entities: [], migrations }],
      options: { silentAfterMs: 300, migrations: { timeoutMs } },
      clock,
    });
  }

  const count = async (sql: string): Promise<number> =>
    (await admin.query(`select count(*)::int as n ${sql}`)).rows[0].n;
  const waiting = () => count(`from pg_locks where relation = 'gate'::regclass and not granted`);
  const locks = () => count(`from pg_locks where locktype = 'advisory' and ${here}`);
  const closeGate = () => admin.query('begin; lock table gate in share mode');
  const openGate = () => admin.query('commit');

  const makeMigrationsTable = () =>
    admin.query(`create table mikro_orm_migrations
      (id serial primary key, name varchar(255) not null, executed_at timestamptz not null default current_timestamp)`);

  /** The COMMIT of whatever writes to the table waits before the gate, and has been sent by then. */
  async function gateCommitsOf(table: string): Promise<void> {
    await makeMigrationsTable();
    await admin.query(`
      create function pass() returns trigger language plpgsql as $$ begin
        lock table gate in share update exclusive mode; return null; end $$;
      create constraint trigger passing after insert on ${table} deferrable initially deferred
        for each row execute function pass()`);
  }

  test('fails with what is stored, gives its lock back, and is done once when it is run again', async () => {
    await connect([Gated], systemClock);
    await closeGate();
    const failed = service.database.migrate().catch((error: unknown) => error);
    await eventually(async () => expect(await waiting()).toBe(1));
    await proxy.setMode('lose');
    await openGate();
    await eventually(() => expect(proxy.counters.bytesLostToClient).toBeGreaterThan(0));
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

  describe('for ever, ends in time', () => {
    let clock: FakeClock;
    beforeEach(() => {
      clock = new FakeClock();
    });

    /** Lets time pass until `run` has ended: each time `stepMs`, and on the real clock `everyMs`. */
    async function ending(run: Promise<unknown>, stepMs: number, everyMs: number): Promise<Ending> {
      const since = clock.now();
      let outcome: { readonly is: unknown } | undefined;
      const end = (is: unknown) => {
        outcome = { is };
      };
      run.then(end, end);
      const passing = async () => {
        if (outcome === undefined) await clock.advance(stepMs);
        return outcome !== undefined;
      };
      await eventually(passing, { timeoutMs: 15_000, intervalMs: everyMs });
      return { outcome: outcome?.is, tookMs: clock.now() - since };
    }

    const endingInHole = (run: Promise<unknown>) => ending(run, 50, 1);

    /** Migrates until `isSwallowed` says that it is where the network is to be lost. */
    async function migrateInto(isSwallowed: () => Promise<boolean>): Promise<{ readonly run: Promise<unknown> }> {
      const run = service.database.migrate();
      run.catch(() => {});
      await eventually(isSwallowed, { timeoutMs: 10_000 });
      await proxy.setMode('lose');
      return { run };
    }

    const isAtGate = async () => (await waiting()) === 1;

    async function swallowedAtGate(): Promise<Ending> {
      await closeGate();
      const { run } = await migrateInto(isAtGate);
      return endingInHole(run);
    }

    /** Migrates again over a network that works, and looks at what that leaves behind. */
    async function migrateAgain(): Promise<unknown> {
      await proxy.setMode('pass');
      await eventually(async () => expect([await locks(), await waiting()]).toEqual([0, 0]), { timeoutMs: 12_000 });
      const { outcome } = await ending(service.database.migrate(), 10, 10);
      expect(await count('from mikro_orm_migrations')).toBe(1);
      await eventually(async () => expect(await locks()).toBe(0));
      return outcome;
    }

    test('during a statement of a transaction: nothing is stored', async () => {
      await connect([Gated], clock);
      const { outcome, tookMs } = await swallowedAtGate();
      expect(tookMs).toBeLessThan(timeoutMs + cutWithinMs);
      expect(outcome).toMatchObject({
        code: 'DATABASE_MIGRATION_FAILED',
        message: expect.stringContaining('The migration Gated failed and nothing of this run is stored'),
        hint: expect.stringContaining('the network'),
        facts: { migration: 'Gated', systemCode: 'ETIMEDOUT' },
      });
      await openGate();
      expect(await count('from log')).toBe(0);
      expect(await migrateAgain()).toEqual(['Gated']);
    });

    test('before the first statement: nothing is stored', async () => {
      await connect([Short], clock);
      await makeMigrationsTable();
      await admin.query('begin; lock table mikro_orm_migrations');
      const { run } = await migrateInto(async () => (await count(`from pg_locks where not granted and ${here}`)) === 1);
      const { outcome, tookMs } = await endingInHole(run);
      await admin.query('rollback');
      expect(tookMs).toBeLessThan(timeoutMs + cutWithinMs);
      expect(outcome).toMatchObject({
        code: 'DATABASE_MIGRATION_FAILED',
        message: expect.stringContaining('A migration failed and nothing of this run is stored'),
      });
      expect(await migrateAgain()).toEqual(['Short']);
    });

    test('while COMMIT is not answered: it is not known whether it is stored', async () => {
      await connect([Short], clock);
      await gateCommitsOf('log');
      await closeGate();
      const { run } = await migrateInto(isAtGate);
      await openGate();
      const { outcome, tookMs } = await endingInHole(run);
      expect(tookMs).toBeLessThan(timeoutMs + cutWithinMs + lookWithinMs);
      expect(outcome).toMatchObject({
        message: expect.stringContaining('The migration Short failed, and it is unknown whether it is stored'),
      });
      expect(await count('from log')).toBe(1);
      expect(await migrateAgain()).toEqual([]);
    });

    test('after a migration may have committed by itself: it is not known whether it is stored', async () => {
      await connect([OwnCommit], clock);
      const { outcome, tookMs } = await swallowedAtGate();
      expect(tookMs).toBeLessThan(timeoutMs + cutWithinMs + lookWithinMs);
      expect(outcome).toMatchObject({
        message: expect.stringContaining('The migration OwnCommit failed, and it is unknown whether it is stored'),
      });
      await openGate();
      expect(await count('from log')).toBe(1);
    });

    test('during a statement outside of a transaction: those before it are stored', async () => {
      await connect([Apart], clock);
      const { outcome, tookMs } = await swallowedAtGate();
      expect(tookMs).toBeLessThan(timeoutMs + cutWithinMs);
      expect(outcome).toMatchObject({
        code: 'DATABASE_MIGRATION_FAILED',
        message: expect.stringContaining(
          'failed at its statement 2 of 2, outside a transaction: its work before that is stored, it is not known whether that statement is done, and the migration is not recorded as applied',
        ),
        facts: { migration: 'Apart', statement: 2, statements: 2 },
      });
      await openGate();
      expect(await count('from log')).toBe(1);
      expect(await migrateAgain()).toEqual(['Apart']);
    });

    test('while a migration outside of a transaction is noted: all of it is stored', async () => {
      await connect([Apart], clock);
      await gateCommitsOf('mikro_orm_migrations');
      await admin.query('begin; lock table gate in share update exclusive mode');
      const { run } = await migrateInto(isAtGate);
      await openGate();
      const { outcome, tookMs } = await endingInHole(run);
      expect(tookMs).toBeLessThan(timeoutMs + cutWithinMs);
      expect(outcome).toMatchObject({
        message: expect.stringContaining('all of it is stored; it is unknown whether it is recorded as applied'),
      });
      expect(await migrateAgain()).toEqual([]);
    });

    test('while another instance has the lock: nothing is stored', async () => {
      await connect([Short], clock);
      const models = [{ entities: [], migrations: [Gated] }];
      await using other = await connectPostgresqlService({ url: testDatabase.url, models });
      await closeGate();
      const first = other.database.migrate();
      await eventually(isAtGate);
      const { run } = await migrateInto(async () => {
        const { busy, counters } = service.database.stats();
        return busy === 0 && counters.acquired > 0;
      });
      const { outcome, tookMs } = await endingInHole(run);
      await openGate();
      expect(await first).toEqual(['Gated']);
      expect(tookMs).toBeLessThan(timeoutMs + cutWithinMs);
      expect(outcome).toMatchObject({
        code: 'DATABASE_MIGRATION_FAILED',
        message: expect.stringContaining('A migration failed and nothing of this run is stored'),
        facts: { systemCode: 'ETIMEDOUT' },
      });
    });

    test('so does the question what is applied', async () => {
      await connect([Short], clock);
      await service.database.migrations();
      await proxy.setMode('lose');
      const { outcome, tookMs } = await endingInHole(service.database.migrations());
      expect(tookMs).toBeLessThan(timeoutMs + cutWithinMs);
      expect(outcome).toMatchObject({ code: 'DATABASE_CONNECTION_LOST' });
      await proxy.setMode('pass');
      expect((await ending(service.database.migrations(), 10, 10)).outcome).toMatchObject({ pending: ['Short'] });
    });
  });
});
