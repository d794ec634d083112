import { inspect } from 'node:util';
import type { DatabaseService } from '@keelson/database';
import { eventually } from '@keelson/test-support/eventually';
import { applicationRole, type PostgresServer } from '@keelson/test-support/postgres-server';
import {
  createPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { type ReplicatedPostgres, startReplicatedPostgres } from '@keelson/test-support/replication';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

type Server = Pick<PostgresServer, 'host' | 'port'>;

describe('a url with several hosts', () => {
  let pair: ReplicatedPostgres;
  let proxy: TcpProxy;
  let nowhere: TcpProxy;
  let service: PostgresqlService | undefined;

  beforeAll(async () => {
    pair = await startReplicatedPostgres();
    await pair.primary.createDatabase('hosts');
    await pair.caughtUp();
    proxy = await startTcpProxy({ to: pair.primary.url });
    nowhere = await startTcpProxy({ to: pair.primary.url });
    await nowhere.setMode('refuse');
  });
  afterAll(async () => {
    await proxy.dispose();
    await nowhere.dispose();
    await pair.dispose();
  });
  afterEach(async () => {
    await proxy.setMode('pass');
    await service?.[Symbol.asyncDispose]();
    service = undefined;
  });

  const urlOf = (
    servers: readonly Server[],
    { password, target = '' }: { password?: string; target?: string } = {},
  ) => {
    const hosts = servers.map(({ host, port }) => `${host}:${port}`).join(',');
    return `postgresql://${applicationRole.name}:${password ?? applicationRole.password}@${hosts}/hosts${target && `?target_session_attrs=${target}`}`;
  };
  const open = (url: string, options: PostgresqlServiceOptions['options'] = {}) => {
    service = createPostgresqlService({ url, options });
    return service.database;
  };
  const portOf = async (database: DatabaseService) => {
    const [row] = await database.session(em => em.execute('select inet_server_port() as port'));
    return row?.port;
  };

  test('connects to the one that takes writes, wherever it stands', async () => {
    const database = open(urlOf([nowhere, pair.standby, pair.primary]));
    await database.connect();
    expect(await portOf(database)).toBe(pair.primary.port);
  });

  test.each(['standby', 'read-only', 'prefer-standby'])('%s: connects to the standby', async target => {
    const database = open(urlOf([pair.primary, pair.standby], { target }));
    await database.connect();
    expect(await portOf(database)).toBe(pair.standby.port);
  });

  test('prefer-standby: connects to the primary when there is no standby', async () => {
    const database = open(urlOf([nowhere, pair.primary], { target: 'prefer-standby' }));
    await database.connect();
    expect(await portOf(database)).toBe(pair.primary.port);
  });

  test('what a server is costs no round trip: it says so when it takes the connection', async () => {
    const database = open(urlOf([pair.standby, proxy]));
    const recording = proxy.recording();
    await database.connect();
    await portOf(database);
    await portOf(database);
    const [ping, ...sessions] = recording.statements;
    expect(ping).toEqual([expect.stringContaining("current_setting('default_transaction_isolation')")]);
    expect(
      sessions
        .flat()
        .filter(sql => !/^(begin|commit|select inet_server_port|select case when pg_is_in_recovery)/.test(sql)),
    ).toEqual([]);
  });

  test('a host that takes connections and says nothing delays the next by half a second, no longer', async () => {
    await proxy.setMode('blackhole');
    const database = open(urlOf([proxy, pair.primary]), { connectTimeoutMs: 10_000 });
    await database.connect();
    expect(await portOf(database)).toBe(pair.primary.port);
  });

  test('names every host and why, when none is the wanted one', async () => {
    const database = open(urlOf([nowhere, pair.standby]), { connect: { timeoutMs: 1_000 } });
    const hosts = [
      `127.0.0.1:${nowhere.port} accepts no connections (ECONNREFUSED)`,
      `127.0.0.1:${pair.standby.port} is a standby`,
    ];
    await expect(database.connect()).rejects.toMatchObject({
      code: 'DATABASE_CONNECT_FAILED',
      message: expect.stringContaining(`No host is read-write: ${hosts.join(', ')}`),
      cause: { facts: { target: 'read-write', hosts: [{ said: hosts[0] }, { said: hosts[1] }] } },
    });
  });

  test('one host that is not what was asked for is refused as well', async () => {
    const database = open(urlOf([pair.standby], { target: 'primary' }), { connect: { timeoutMs: 1_000 } });
    await expect(database.connect()).rejects.toMatchObject({
      message: expect.stringContaining(`No host is primary: 127.0.0.1:${pair.standby.port} is a standby`),
    });
  });

  test('a wrong password fails at once, and the next host is not asked', async () => {
    const database = open(urlOf([pair.primary, proxy], { password: 'wrong' }));
    const { connections } = proxy.counters;
    await expect(database.connect()).rejects.toMatchObject({ facts: { sqlState: '28P01' } });
    expect(proxy.counters.connections).toBe(connections);
  });

  test.each([
    ['one host', 1],
    ['several hosts', 2],
  ])('closes in time while it is connecting to %s and gets no answer', async (_, count) => {
    const database = open(urlOf([proxy, proxy].slice(0, count)), {
      closeTimeoutMs: 100,
      pool: { acquireTimeoutMs: 60_000, pingTimeoutMs: 100 },
      connectTimeoutMs: 60_000,
    });
    await database.connect();
    await proxy.setMode('blackhole');
    const session = portOf(database);
    session.catch(() => {});
    await eventually(() => database.stats().busy === 1);
    await database.disconnect();
    await expect(session).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    expect(database.stats()).toMatchObject({ total: 0, busy: 0 });
  });

  test('no report contains a password', async () => {
    const database = open(urlOf([nowhere, pair.primary], { password: 'hunter2' }));
    const error = await database.connect().catch((thrown: unknown) => thrown);
    const reported = [error, service?.logger.lines(), await database.health(), database.stats()];
    expect(inspect(reported, { depth: 10 })).not.toContain('hunter2');
  });
});
