import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AmbiguousCommitError, type DatabaseService } from '@keelson/database';
import { untilAtRest } from '@keelson/test-support/at-rest';
import { eventually } from '@keelson/test-support/eventually';
import { Ledger } from '@keelson/test-support/ledger';
import { applicationRole } from '@keelson/test-support/postgres-server';
import {
  connectPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { type ReplicatedPostgres, startReplicatedPostgres } from '@keelson/test-support/replication';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

describe('a failover', () => {
  let pair: ReplicatedPostgres;
  let proxy: TcpProxy;
  let service: PostgresqlService;
  let database: DatabaseService;
  let ids: number;

  beforeEach(async () => {
    ids = 0;
    // Without it, a commit that was answered may not have reached the standby yet, and is lost with the primary.
    pair = await startReplicatedPostgres({ synchronous: true });
    await pair.primary.createDatabase('failover');
    proxy = await startTcpProxy({ to: pair.primary.url });
    await open();
    await database.migrate();
  });
  afterEach(async () => {
    await untilAtRest(database);
    await service[Symbol.asyncDispose]();
    expect(database.stats()).toMatchObject({ total: 0, busy: 0, waiting: 0 });
    await proxy.dispose();
    await pair.dispose();
  });

  const open = async (options: PostgresqlServiceOptions['options'] = {}) => {
    const hosts = `127.0.0.1:${proxy.port},127.0.0.1:${pair.standby.port}`;
    const { name, password } = applicationRole;
    service = await connectPostgresqlService({ url: `postgresql://${name}:${password}@${hosts}/failover`, options });
    database = service.database;
  };
  const insert = (email: string, options: Parameters<DatabaseService['session']>[1] = {}) =>
    database.session(em => em.insert(Author, { id: ++ids, email }), options);
  const stored = async () => {
    const rows = await pair.standby.query<{ email: string }>('select email from author', [], 'failover');
    return rows.map(({ email }) => email);
  };
  const portOf = async () => {
    const [row] = await database.session(em => em.execute('select inet_server_port() as port'));
    return row?.port;
  };
  const reported = (what: string) => service.logger.findAll(what).map(({ facts }) => facts);
  const names = () => ({ primary: `127.0.0.1:${proxy.port}`, standby: `127.0.0.1:${pair.standby.port}` });
  /** Nor to the question what became of it. */
  const noAnswerAfterCommit = async () => {
    await proxy.onceAtCommit('after');
    const refusing = proxy.setMode('refuse');
    proxy.cut();
    await refusing;
  };
  const failOver = async () => {
    await pair.primary.kill('SIGKILL');
    await pair.promote();
  };

  test('writes go on, and every acknowledged one is stored, once', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'keelson-ledger-'));
    using ledger = new Ledger(join(directory, 'ledger'));
    let isFailedOver = false;
    let after = 0;
    const write = async (flow: number) => {
      for (let n = 0; !isFailedOver || after < 40; n++) {
        const key = `${flow}-${n}`;
        ledger.attempted(key);
        try {
          await insert(key);
          ledger.acknowledged(key);
          if (isFailedOver) after += 1;
        } catch (error) {
          if (!(error instanceof AmbiguousCommitError)) ledger.refused(key);
        }
      }
    };
    const flows = Promise.all([write(1), write(2), write(3), write(4)]);
    await eventually(() => ids > 40);
    await failOver();
    isFailedOver = true;
    await flows;
    const report = ledger.compare(await stored());
    expect(report.acknowledged).toBeGreaterThan(60);
    expect(report).toMatchObject({ lost: [], duplicated: [], refusedButStored: [], unknown: [] });
    rmSync(directory, { recursive: true });
    expect(reported('host lost').length).toBeLessThanOrEqual(1);
    expect(reported('failover')).toEqual([{ from: names().primary, to: names().standby }]);
  });

  test('is logged once, with both hosts', async () => {
    await pair.primary.kill('SIGKILL');
    await expect(insert('nowhere', { timeoutMs: 700 })).rejects.toThrow();
    await expect(insert('nowhere', { timeoutMs: 700 })).rejects.toThrow();
    await pair.promote();
    await eventually(() => database.state.is === 'connected');
    await insert('there');
    expect(reported('host lost')).toEqual([{ host: names().primary }]);
    expect(reported('failover')).toEqual([{ from: names().primary, to: names().standby }]);
  });

  test.each([
    ['whose connections are found dead by a ping', 'idle'],
    ['while a connection to it is being opened', 'none'],
  ])('from a primary that says nothing any more, %s', async (_, connections) => {
    await service[Symbol.asyncDispose]();
    await open({ pool: { pingAfterIdleMs: 0, pingTimeoutMs: 200, acquireTimeoutMs: 3_000 } });
    if (connections === 'idle') await insert('before');
    await proxy.setMode('blackhole');
    await pair.primary.stop('immediate');
    await pair.promote();
    await insert('after');
    expect(await portOf()).toBe(pair.standby.port);
    expect(await stored()).toContain('after');
    expect(reported('failover')).toHaveLength(1);
  });

  test('a primary that became read-only is left, and its connections are thrown away', async () => {
    await insert('before');
    await pair.promote();
    await pair.primary.query('alter system set default_transaction_read_only to on');
    await pair.primary.query('select pg_reload_conf()');
    await eventually(
      async () => (await pair.primary.query('show transaction_read_only'))[0]?.transaction_read_only === 'on',
    );
    await insert('after');
    expect(await portOf()).toBe(pair.standby.port);
    expect(await stored()).toEqual(['before', 'after']);
    expect(database.stats().counters.discarded.invalidated).toBeGreaterThan(0);
  });

  test('connections to the old primary that still work are not used any more', async () => {
    expect(await portOf()).toBe(pair.primary.port);
    await proxy.setMode('refuse');
    await pair.promote();
    await pair.primary.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'keelson control'`,
    );
    await eventually(async () => (await database.health()).status === 'pass' && reported('failover').length === 1);
    expect(await portOf()).toBe(pair.standby.port);
  });

  test('a write that a read-only session refuses is a mistake, and invalidates nothing', async () => {
    await insert('before');
    const { opened } = database.stats().counters;
    await expect(database.read(em => em.insert(Author, { id: 2, email: 'x' }))).rejects.toMatchObject({
      kind: 'read-only',
    });
    await insert('after');
    expect(database.stats().counters.opened).toBe(opened);
  });

  test('during COMMIT, before the primary got it: run again on the new one, and stored once', async () => {
    const cut = proxy.onceAtCommit('before');
    const write = insert('once');
    await cut;
    await failOver();
    await write;
    expect(await stored()).toEqual(['once']);
  });

  test.each([
    ['ran before', false],
    ['was started since', true],
  ])('during COMMIT, after the primary had done it: the new one, which %s, is not believed', async (_, isRestarted) => {
    const write = insert('once');
    write.catch(() => {});
    await noAnswerAfterCommit();
    await pair.primary.kill('SIGKILL');
    if (isRestarted) await pair.standby.restart('fast');
    await pair.promote();
    await expect(write).rejects.toMatchObject({
      code: 'DATABASE_AMBIGUOUS_COMMIT',
      facts: { why: 'the database no longer knows the transaction' },
    });
    expect(await stored()).toEqual(['once']);
  });
});
