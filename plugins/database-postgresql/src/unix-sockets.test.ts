import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { freePort } from '@keelson/test-support/free-port';
import { hasPgbouncer, startPgbouncer } from '@keelson/test-support/pgbouncer';
import { postgresIdentity } from '@keelson/test-support/postgres-binaries';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import {
  connectPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { socketFolder } from '@keelson/test-support/socket-folder';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { socketPath } from './host.js';
import { checkSocket } from './unix-socket.js';

const page = readFileSync(new URL('../../../docs/database.md', import.meta.url), 'utf8');
const account = 'keelson:keelson';

describe('a unix socket', () => {
  let folder: string;
  let server: PostgresServer;
  let service: PostgresqlService | undefined;

  beforeAll(async () => {
    folder = socketFolder();
    server = await startPostgres({ settings: { unix_socket_directories: folder } });
    await server.createDatabase('shop');
  });
  afterAll(() => server.dispose());
  afterEach(async () => {
    await service?.[Symbol.asyncDispose]();
    service = undefined;
  });

  const urlTo = (directory = folder, port = server.port) =>
    `postgresql://${account}@/shop?host=${directory}&port=${port}`;
  const open = async (url: string, options: PostgresqlServiceOptions['options'] = {}) => {
    service = await connectPostgresqlService({ url, options: { pool: { max: 2 }, ...options } });
    return service.database;
  };
  const serverPort = 'select inet_server_port() as port, inet_client_addr() as client';

  test.each([
    ['in a parameter', () => urlTo()],
    ['in the place of the host', () => `postgresql://${account}@${encodeURIComponent(folder)}:${server.port}/shop`],
    ['with a mode that wants TLS where there can be TLS', () => `${urlTo()}&sslmode=prefer`],
  ])('is connected to, named as libpq names it %s', async (_, url) => {
    const database = await open(url());
    expect(await database.session(em => em.execute(serverPort))).toEqual([{ port: null, client: null }]);
    expect(await database.health()).toMatchObject({ status: 'pass' });
    expect(database.address).toBe(`unix:${folder}:${server.port}/shop`);
  });

  test('stands beside hosts of the network, in either order', async () => {
    const closed = await freePort();
    const encoded = encodeURIComponent(folder);
    const overSocket = await open(`postgresql://${account}@127.0.0.1:${closed},${encoded}:${server.port}/shop`);
    expect(await overSocket.session(em => em.execute(serverPort))).toEqual([{ port: null, client: null }]);
    await service?.[Symbol.asyncDispose]();
    const overNetwork = await open(`postgresql://${account}@${encoded}:${closed},127.0.0.1:${server.port}/shop`);
    expect(await overNetwork.session(em => em.execute(serverPort))).toMatchObject([{ port: server.port }]);
  });

  test('takes the cancellation of a statement: its locks are free at once', async () => {
    const database = await open(urlTo());
    const slow = database.session(em => em.execute('select pg_advisory_xact_lock(7), pg_sleep(60)'), {
      timeoutMs: 200,
      retry: 'never',
    });
    await expect(slow).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
    const next = database.session(em => em.execute('select pg_advisory_xact_lock(7)'), { timeoutMs: 1_500 });
    expect(await next).toHaveLength(1);
    expect(database.stats().counters.discarded).toEqual({});
  });

  test('a statement that got lost on it is found', async () => {
    const port = await freePort();
    const sockets: Socket[] = [];
    let isHole = false;
    const between = createServer(client => {
      const own = !isHole;
      const back = connect(socketPath({ host: folder, port: server.port }));
      sockets.push(client, back);
      for (const socket of [client, back]) socket.on('error', () => {});
      client.on('data', bytes => (own && isHole ? undefined : back.write(bytes)));
      back.on('data', bytes => client.write(bytes));
      client.on('close', () => back.destroy());
    });
    await new Promise<void>(resolve => between.listen(socketPath({ host: folder, port }), resolve));
    try {
      const database = await open(urlTo(folder, port), { silentAfterMs: 300, pool: { max: 1 } });
      await database.session(em => em.execute('select 1'));
      isHole = true;
      expect(await database.session(em => em.execute('select 1 as one'))).toEqual([{ one: 1 }]);
      const lost = service?.logger.lines().filter(line => line.message.includes('lost on the way'));
      expect(lost).toMatchObject([{ facts: { backend: 'idle' } }]);
    } finally {
      for (const socket of sockets) socket.destroy();
      between.close();
    }
  });

  describe.skipIf(!hasPgbouncer)('of PgBouncer', () => {
    test('is connected to, and takes the cancellation of a statement', async () => {
      await using bouncer = await startPgbouncer({
        to: server.url,
        poolMode: 'session',
        settings: {
          unix_socket_dir: folder,
          ignore_startup_parameters: 'statement_timeout,lock_timeout,idle_in_transaction_session_timeout',
        },
      });
      const database = await open(urlTo(folder, bouncer.port));
      const slow = database.session(em => em.execute('select pg_advisory_xact_lock(8), pg_sleep(60)'), {
        timeoutMs: 200,
        retry: 'never',
      });
      await expect(slow).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
      const next = database.session(em => em.execute('select pg_advisory_xact_lock(8)'), { timeoutMs: 1_500 });
      expect(await next).toHaveLength(1);
    });
  });

  describe('a failure to connect to it is reported with its cause:', () => {
    const failureAt = async (url: string): Promise<Record<'code' | 'message' | 'hint', string>> => {
      const failing = open(url, { connect: { timeoutMs: 300 } });
      return failing.then(
        () => ({ code: 'connected', message: '', hint: '' }),
        (error: unknown) => error as Record<'code' | 'message' | 'hint', string>,
      );
    };
    const expectFailure = async (url: string, kind: string, says: RegExp) => {
      const error = await failureAt(url);
      expect(error).toMatchObject({ code: 'DATABASE_CONNECT_FAILED', facts: { kind } });
      expect(error.message).toMatch(says);
      expect(error.message).toContain('unix:/');
      expect(error.hint).toMatch(/^[A-Z].*\.$/);
      expect(page.includes(`\`${kind}\``), 'has a row in the table of the page').toBe(true);
    };

    test('socket-missing', () => expectFailure(urlTo(folder, 1), 'socket-missing', /no unix socket .*, ENOENT\)/));

    test('socket-stale', async () => {
      await using crashed = await startPostgres({ settings: { unix_socket_directories: folder } });
      await crashed.kill('SIGKILL');
      await expectFailure(urlTo(folder, crashed.port), 'socket-stale', /nothing listens on, ECONNREFUSED\)/);
    });

    test('socket-stale, for a file that is no socket', async () => {
      writeFileSync(join(folder, '.s.PGSQL.2'), '');
      await expectFailure(urlTo(folder, 2), 'socket-stale', /nothing listens on, ECONNREFUSED\)/);
    });

    test('socket-permission', async () => {
      const closed = socketFolder();
      await using hidden = await startPostgres({ settings: { unix_socket_directories: closed } });
      using _stranger = asStrangerTo(closed);
      await expectFailure(urlTo(closed, hidden.port), 'socket-permission', /may not use \(EACCES\)/);
    });

    test('socket-path', () =>
      expectFailure(urlTo(`/${'a'.repeat(100)}`), 'socket-path', /too long for this operating system: 107 bytes/));

    test('a path of 107 bytes is not too long on Linux, one of 108 is', () => {
      const host = (bytes: number) => ({ host: `/${'a'.repeat(bytes - '/.s.PGSQL.5432'.length - 1)}`, port: 5432 });
      expect(() => checkSocket(host(107), 'linux')).not.toThrow();
      expect(() => checkSocket(host(108), 'linux')).toThrow(expect.objectContaining({ code: 'SOCKET_PATH_TOO_LONG' }));
    });

    test('socket-unsupported', () => {
      expect(() => checkSocket({ host: '/tmp', port: 5432 }, 'win32')).toThrow(
        expect.objectContaining({ code: 'SOCKET_UNSUPPORTED' }),
      );
      expect(page.includes('`socket-unsupported`')).toBe(true);
    });

    test('of several sockets, each says why', async () => {
      const url = `postgresql://${account}@/shop?host=${folder},${folder}&port=1,2`;
      expect(await failureAt(url)).toMatchObject({
        message: expect.stringContaining(`unix:${folder}:1 accepts no connections (ENOENT)`),
      });
    });
  });
});

/** Until the result is disposed of, `folder` is closed to this process, also when it is that of root. */
function asStrangerTo(folder: string): Disposable {
  const isRoot = process.getuid?.() === 0;
  chmodSync(folder, 0);
  if (isRoot) process.seteuid?.(Number(postgresIdentity.uid) - 1);
  return {
    [Symbol.dispose]() {
      if (isRoot) process.seteuid?.(0);
      chmodSync(folder, 0o755);
    },
  };
}
