import type { RetryPolicy } from '@keelson/core';
import type { DatabaseService, SessionOptions } from '@keelson/database';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { untilAtRest } from '@keelson/test-support/at-rest';
import { eventually } from '@keelson/test-support/eventually';
import { startPostgres } from '@keelson/test-support/postgres-server';
import {
  connectPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { type ReplicatedPostgres, startReplicatedPostgres } from '@keelson/test-support/replication';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { migrateDatabase } from '@keelson/test-support/test-service';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

type Replicas = Exclude<NonNullable<PostgresqlServiceOptions['options']>['replicas'], readonly string[] | undefined>;

describe('reads with replicas', () => {
  let pair: ReplicatedPostgres;
  let proxy: TcpProxy;
  let url: string;
  let replica: string;
  let service: PostgresqlService;
  let database: DatabaseService;

  beforeAll(async () => {
    pair = await startReplicatedPostgres();
    url = await pair.primary.createDatabase('replicas');
    await migrateDatabase(url);
    await pair.caughtUp();
    proxy = await startTcpProxy({ to: pair.standby.url });
    replica = proxy.url(url);
  });
  afterAll(async () => {
    await proxy.dispose();
    await pair.dispose();
  });
  afterEach(async () => {
    await proxy.setMode('pass');
    await untilAtRest(database);
    await service[Symbol.asyncDispose]();
    expect(database.stats()).toMatchObject({ total: 0, busy: 0, waiting: 0 });
    await pair.standby.start();
    await pair.primary.query('truncate author', [], 'replicas');
    await pair.caughtUp();
  });

  const open = async (
    replicas: Partial<Replicas> = {},
    options: PostgresqlServiceOptions['options'] = {},
    retry?: RetryPolicy,
  ) => {
    const given = { urls: [replica], checkIntervalMs: 20, ...replicas };
    service = await connectPostgresqlService({
      url,
      options: { replicas: given, ...options },
      ...(retry && { retry }),
    });
    database = service.database;
  };
  const stateOf = async () => {
    const { facts } = await database.health();
    return facts?.hosts;
  };
  const becomes = (state: string, index = 1) =>
    eventually(async () => expect(await stateOf()).toMatchObject({ [index]: { role: 'replica', state } }));
  const portOf = async (options: SessionOptions = { readOnly: true }) => {
    const [row] = await database.session(em => em.execute('select inet_server_port() as port'), options);
    return row?.port;
  };

  test('go to the replica, and writes to the primary', async () => {
    await open();
    await becomes('fit');
    expect(await portOf()).toBe(pair.standby.port);
    expect(await portOf({})).toBe(pair.primary.port);
  });

  test('go to the primary when they are to be fresh, or serializable, which a standby cannot be', async () => {
    await open();
    await becomes('fit');
    expect(await portOf({ readOnly: true, fresh: true })).toBe(pair.primary.port);
    expect(await portOf({ readOnly: true, isolation: 'serializable' })).toBe(pair.primary.port);
  });

  test('see a write of the session they are in', async () => {
    await open();
    await becomes('fit');
    await database.session(async em => {
      await em.insert(Author, { id: 1, email: 'own@example.org' });
      expect(await database.read(inner => inner.count(Author))).toBe(1);
    });
  });

  test('cost one round trip on the replica, without a wait for its lag', async () => {
    await open({ checkIntervalMs: 60_000 });
    await becomes('fit');
    await portOf();
    await eventually(() => database.stats().busy === 0);
    const recording = proxy.recording();
    await portOf();
    await eventually(() => database.stats().busy === 0);
    expect(recording.statements).toEqual([['begin read only', 'select inet_server_port() as port', 'commit']]);
  });

  test('leave a replica that is further behind than allowed, and come back to it', async () => {
    await open({ maxLagMs: 200 });
    await pair.primary.query(`insert into author values (1, 'replayed@example.org')`, [], 'replicas');
    await pair.caughtUp();
    await becomes('fit');
    await pair.pauseReplay();
    try {
      await pair.primary.query(`insert into author values (2, 'late@example.org')`, [], 'replicas');
      await becomes('lagging');
      expect(await portOf()).toBe(pair.primary.port);
      expect(await database.read(em => em.count(Author))).toBe(2);
      expect(await database.health()).toMatchObject({
        status: 'warn',
        output: `Reads go to other servers: 127.0.0.1:${proxy.port} is lagging.`,
      });
    } finally {
      await pair.resumeReplay();
    }
    await becomes('fit');
    expect(await portOf()).toBe(pair.standby.port);
    expect(service.logger.find('replica lagging')?.facts).toMatchObject({ host: `127.0.0.1:${proxy.port}` });
  });

  test('stay with a replica that waits for nothing, however long ago the last write was', async () => {
    await open({ maxLagMs: 1 });
    await becomes('fit');
    await eventually(async () => {
      const [row] = await pair.standby.query<{ old: boolean }>(
        `select coalesce(clock_timestamp() - pg_last_xact_replay_timestamp() > '20 ms', true) as old`,
      );
      return row?.old === true;
    });
    await becomes('fit');
    expect(await portOf()).toBe(pair.standby.port);
  });

  test('go on while the primary is away, until the replica may be too far behind what is written elsewhere', async () => {
    await open({ maxLagMs: 700 });
    await becomes('fit');
    await pair.primary.stop('immediate');
    try {
      expect(await portOf()).toBe(pair.standby.port);
      await becomes('lagging');
    } finally {
      await pair.primary.start();
    }
    await becomes('fit');
    expect(await portOf()).toBe(pair.standby.port);
  });

  test('go on while the primary is down and its breaker open; their answers do not count as its recovery', async () => {
    const retry = new OpossumRetryPolicy({
      options: { policies: { default: { breaker: { breakMs: 60_000, maxBreakMs: 60_000 } } } },
    });
    await open({ maxLagMs: 'any' }, {}, retry);
    await becomes('fit');
    const breakers = () => Object.fromEntries(retry.describe().map(each => [each.target, each.breaker.state]));
    await pair.primary.stop('immediate');
    try {
      await eventually(async () => {
        await expect(portOf({ timeoutMs: 100 })).rejects.toThrow();
        expect(breakers()).toMatchObject({ database: 'open' });
      });
      await eventually(() => expect(database.state.is).toBe('error'));
      expect(await portOf()).toBe(pair.standby.port);
      expect(await database.read(em => em.count(Author))).toBe(0);
      await using session = await database.openSession({ readOnly: true, timeoutMs: 1_000 });
      expect(await session.em.count(Author)).toBe(0);
      await session.commit();
      await expect(portOf({ readOnly: true, fresh: true, timeoutMs: 100 })).rejects.toThrow();
      expect(database.state.is).toBe('error');
      expect(breakers()).toEqual({ database: 'open', 'database.replica': 'closed' });
    } finally {
      await pair.primary.start();
    }
    await eventually(() => expect(database.state.is).toBe('connected'));
  });

  test('all come through when the replica dies under many of them: the primary answers, and no breaker opens', async () => {
    const retry = new OpossumRetryPolicy({ options: { policies: { default: { budget: { floorPerSecond: 100 } } } } });
    await open({ checkIntervalMs: 60_000 }, {}, retry);
    await becomes('fit');
    const states = new Set<string>();
    retry.observe({ breakerMoved: (target, { to }) => void states.add(`${target} ${to}`) });
    const stopped = Promise.withResolvers<void>();
    let reading = 0;
    const reads = Array.from({ length: 10 }, () =>
      database.read(async (em, { attempt }) => {
        await em.count(Author);
        if (attempt === 1 && ++reading === 10) stopped.resolve(pair.standby.stop('immediate'));
        await stopped.promise;
        const [row] = await em.execute('select inet_server_port() as port');
        return row?.port;
      }),
    );
    expect(new Set(await Promise.all(reads))).toEqual(new Set([pair.primary.port]));
    expect(states).toEqual(new Set());
  });

  test('go to the primary while the replica is away, and back when it is back', async () => {
    await open();
    await becomes('fit');
    await portOf();
    await pair.standby.stop('immediate');
    expect(await portOf()).toBe(pair.primary.port);
    await becomes('away');
    expect(database.state.is).toBe('connected');
    await pair.standby.start();
    await becomes('fit');
    expect(await portOf()).toBe(pair.standby.port);
    const said = service.logger.findAll(/^replica /).map(({ message }) => message);
    expect(said).toEqual(['replica usable', 'replica away', 'replica usable']);
  });

  test('do not wait for a replica that says nothing any more for longer than half their time', async () => {
    await open({ checkIntervalMs: 60_000 }, { pool: { acquireTimeoutMs: 1_000, pingTimeoutMs: 200 } });
    await becomes('fit');
    await proxy.setMode('blackhole');
    expect(await portOf()).toBe(pair.primary.port);
  });

  test('a lost connection runs the read again elsewhere', async () => {
    await open({ checkIntervalMs: 60_000 });
    await becomes('fit');
    let attempts = 0;
    const port = await database.read(async (em, { attempt }) => {
      attempts = attempt;
      await em.count(Author);
      if (attempt === 1) await pair.standby.stop('immediate');
      const [row] = await em.execute('select inet_server_port() as port');
      return row?.port;
    });
    expect({ attempts, port }).toEqual({ attempts: 2, port: pair.primary.port });
  });

  test('are spread over equally busy replicas', async () => {
    await using third = await startPostgres();
    const other = await third.createDatabase('replicas');
    await open({ urls: [replica, other] });
    await becomes('fit', 1);
    await becomes('fit', 2);
    const ports = [await portOf(), await portOf(), await portOf(), await portOf()];
    expect(ports.filter(port => port === third.port)).toHaveLength(2);
    expect(ports.filter(port => port === pair.standby.port)).toHaveLength(2);
    await service[Symbol.asyncDispose]();
  });

  test('are listed separately in health, and summed in the numbers of the pool', async () => {
    await open({ pool: { max: 3 } });
    await becomes('fit');
    await portOf();
    await portOf({});
    await eventually(() => database.stats().idle === 2);
    expect(database.stats()).toMatchObject({ total: 2, max: 13 });
    expect(await database.health()).toMatchObject({
      status: 'pass',
      facts: {
        hosts: [
          { host: `127.0.0.1:${pair.primary.port}`, role: 'primary', state: 'fit', pool: { total: 1, max: 10 } },
          { host: `127.0.0.1:${proxy.port}`, role: 'replica', state: 'fit', lagMs: 0, pool: { total: 1, max: 3 } },
        ],
      },
    });
  });
});
