import { chmodSync, chownSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canMakeCertificates, makeCertificate } from '@keelson/test-support/certificates';
import { eventually } from '@keelson/test-support/eventually';
import { freePort } from '@keelson/test-support/free-port';
import { postgresIdentity } from '@keelson/test-support/postgres-binaries';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { connectPostgresqlService, createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

const page = readFileSync(new URL('../../../docs/database.md', import.meta.url), 'utf8');

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly facts: { readonly kind?: string };
}

/** Failures that may pass: the start repeats them until its time is over. All others end it at once. */
const passing = ['full', 'refused', 'starting', 'stopping', 'behind-pooler', 'server-words', 'unreachable', 'timeout'];

/** What starting with `url` fails with; never the password in it. */
async function failureAt(url: string, timeoutMs: number): Promise<Failure> {
  const failed = (async () => {
    const options = { connect: { timeoutMs }, connectTimeoutMs: timeoutMs / 2 };
    await using service = createPostgresqlService({ url, options });
    await service.database.connect();
  })();
  const error: unknown = await failed.then(
    () => ({ code: 'connected' }),
    (thrown: unknown) => thrown,
  );
  expect(JSON.stringify(error)).not.toContain('hunter2');
  return error as Failure;
}

async function expectFailure(url: string, kind: string, says: RegExp, givenMs?: number): Promise<void> {
  const timeoutMs = givenMs ?? (passing.includes(kind) ? 400 : 10_000);
  const error = await failureAt(url, timeoutMs);
  expect(error).toMatchObject({ code: 'DATABASE_CONNECT_FAILED', facts: { kind } });
  expect(error.message).toMatch(says);
  expect(error.hint).toMatch(/^[A-Z].*\.$/);
  expect(page, 'has a row in the table of the page').toContain(`\`${kind}\``);
}

describe('a failure to connect is reported with its cause:', () => {
  let server: PostgresServer;
  let good: URL;

  type Part = 'username' | 'password' | 'hostname' | 'port' | 'pathname' | 'search';
  const at = (change: Partial<Pick<URL, Part>>): string => Object.assign(new URL(good), change).href;

  async function configure(hba: readonly string[]): Promise<void> {
    writeFileSync(join(server.dataDirectory, 'pg_hba.conf'), `${hba.join('\n')}\n`);
    process.kill(server.pid ?? 0, 'SIGHUP');
  }
  const usual = 'host all all 127.0.0.1/32 scram-sha-256';

  /** Waits until the server has read its configuration again. */
  async function reload(): Promise<void> {
    const [before] = await server.query<{ at: Date }>('select pg_conf_load_time() as at');
    await server.query('select pg_reload_conf()');
    const loadedAt = async () => (await server.query<{ at: Date }>('select pg_conf_load_time() as at'))[0]?.at;
    await eventually(async () => (await loadedAt())?.getTime() !== before?.at.getTime());
  }

  beforeAll(async () => {
    server = await startPostgres();
    good = new URL(await server.createDatabase('shop'));
  });
  afterAll(() => server?.dispose());

  test('password', () => expectFailure(at({ password: 'hunter2' }), 'password', /refused the password \(28P01\)/));

  test('password-missing', () => expectFailure(at({ password: '' }), 'password-missing', /there is none/));

  test('database-missing', () =>
    expectFailure(at({ pathname: '/nowhere' }), 'database-missing', /does not exist on the server \(3D000\)/));

  test('privilege', async () => {
    await server.query('revoke connect on database shop from public');
    await server.query("create role guest login password 'guest'");
    await expectFailure(at({ username: 'guest', password: 'guest' }), 'privilege', /may not connect \(42501\)/);
  });

  test('full', async () => {
    await server.query('alter role guest connection limit 0');
    await server.query('grant connect on database shop to guest');
    await expectFailure(at({ username: 'guest', password: 'guest' }), 'full', /has no connection left, 53300/);
  });

  test('role-missing', async () => {
    await configure(['host all stranger 127.0.0.1/32 trust', usual]);
    await reload();
    await expectFailure(at({ username: 'stranger' }), 'role-missing', /no user of this name that may log in \(28000\)/);
  });

  test('hba', async () => {
    await configure(['host all stranger 127.0.0.1/32 reject', usual]);
    await reload();
    await expectFailure(at({ username: 'stranger' }), 'hba', /by its pg_hba\.conf \(28000\)/);
  });

  test('tls-not-spoken', () =>
    expectFailure(at({ search: '?sslmode=verify-full' }), 'tls-not-spoken', /does not support TLS/));

  test('refused', async () => {
    const port = await freePort();
    await expectFailure(at({ port: String(port) }), 'refused', /nothing listens there, ECONNREFUSED/);
  });

  test(
    'host-unknown',
    () =>
      expectFailure(
        at({ hostname: 'nowhere.invalid' }),
        'host-unknown',
        /cannot be resolved, (ENOTFOUND|EAI_AGAIN)/,
        5_000,
      ),
    20_000,
  );

  test('a wrong password after a rotation, in the middle of the service', async () => {
    await using service = await connectPostgresqlService({ url: good.href, options: { pool: { idleTimeoutMs: 1 } } });
    await service.database.session(em => em.execute('select 1'));
    await server.query("alter role keelson password 'rotated'");
    service.database.renewConnections();
    await expect.poll(() => service.database.stats().total).toBe(0);
    let runs = 0;
    const session = service.database.session(async em => {
      runs += 1;
      await em.execute('select 1');
    });
    await expect(session).rejects.toMatchObject({
      code: 'DATABASE_CONNECT_FAILED',
      message: 'The database refused the password (28P01).',
      hint: expect.stringContaining('rotation'),
      facts: { kind: 'password' },
      http: { status: 503 },
    });
    expect(runs).toBe(1);
    await server.query("alter role keelson password 'keelson'");
  });

  describe('tls-file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'keelson-tls-'));
    const file = (name: string, content: string) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    afterAll(() => rmSync(folder, { recursive: true }));

    test.each(['sslrootcert', 'sslcert', 'sslkey'])('%s that does not exist', async parameter => {
      await expectFailure(
        `${good.href}?${parameter}=/nowhere/x.pem`,
        'tls-file',
        new RegExp(`${parameter} .*ENOENT.*/nowhere/x.pem`),
      );
    });

    test.each(['sslrootcert', 'sslcert', 'sslkey'])('%s that is no certificate or key', async parameter => {
      await expectFailure(`${good.href}?${parameter}=${file('text.pem', 'text')}`, 'tls-file', /not in PEM/);
    });

    test('a folder', () => expectFailure(`${good.href}?sslrootcert=${folder}`, 'tls-file', /EISDIR/));
  });

  describe.skipIf(!canMakeCertificates)('by TLS', () => {
    const folder = mkdtempSync(join(tmpdir(), 'keelson-certificates-'));
    const certificate = (name: string) => join(folder, `${name}.crt`);

    async function serve(name: string): Promise<void> {
      for (const [from, to] of [
        ['crt', 'server.crt'],
        ['key', 'server.key'],
      ] as const) {
        const target = join(server.dataDirectory, to);
        copyFileSync(join(folder, `${name}.${from}`), target);
        chmodSync(target, 0o600);
        if (postgresIdentity.uid !== undefined && postgresIdentity.gid !== undefined)
          chownSync(target, postgresIdentity.uid, postgresIdentity.gid);
      }
      await reload();
    }

    const verified = (authority: string) =>
      at({ hostname: 'localhost', search: `?sslmode=verify-full&sslrootcert=${certificate(authority)}` });

    beforeAll(async () => {
      makeCertificate(folder, 'authority', { commonName: 'authority' });
      makeCertificate(folder, 'other', { commonName: 'other' });
      makeCertificate(folder, 'self', { commonName: 'localhost' });
      makeCertificate(folder, 'fine', { commonName: 'localhost', authority: 'authority' });
      makeCertificate(folder, 'expired', { commonName: 'localhost', authority: 'authority', expired: true });
      makeCertificate(folder, 'elsewhere', { commonName: 'elsewhere.example.org', authority: 'authority' });
      copyFileSync(certificate('authority'), join(server.dataDirectory, 'root.crt'));
      chmodSync(join(server.dataDirectory, 'root.crt'), 0o644);
      await configure([usual]);
      await reload();
      await serve('fine');
      await server.query("alter system set ssl_ca_file = 'root.crt'");
      await server.query('alter system set ssl = on');
      await reload();
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    test('nothing is wrong with a certificate that fits', async () => {
      expect(await failureAt(verified('authority'), 5_000)).toEqual({ code: 'connected' });
    });

    test('tls-unknown-authority', () =>
      expectFailure(verified('other'), 'tls-unknown-authority', /authority that is not trusted/));

    test('tls-self-signed', async () => {
      await serve('self');
      await expectFailure(verified('other'), 'tls-self-signed', /self-signed certificate/);
    });

    test('tls-expired', async () => {
      await serve('expired');
      await expectFailure(verified('authority'), 'tls-expired', /not valid at this time \(CERT_HAS_EXPIRED\)/);
    });

    test('tls-host-name', async () => {
      await serve('elsewhere');
      await expectFailure(verified('authority'), 'tls-host-name', /for another host name/);
    });

    test('tls-client-certificate', async () => {
      await serve('fine');
      await configure(['hostssl all all 127.0.0.1/32 cert', 'hostssl all all ::1/128 cert', usual]);
      await expect
        .poll(async () => (await failureAt(verified('authority'), 2_000)).facts?.kind)
        .toBe('tls-client-certificate');
      await expectFailure(verified('authority'), 'tls-client-certificate', /client certificate that it trusts/);
    });
  });
});

describe('a failure to connect to what a real server is slow to do:', () => {
  let server: Server;
  let answer: (socket: Socket) => void;
  let url: string;

  /** An ErrorResponse (PostgreSQL manual, 54.7). */
  const refusal = (code: string, message: string, severity = 'FATAL') => {
    const fields = Buffer.from(`S${severity}\0V${severity}\0C${code}\0M${message}\0\0`);
    const header = Buffer.from([0x45, 0, 0, 0, 0]);
    header.writeInt32BE(fields.length + 4, 1);
    return Buffer.concat([header, fields]);
  };

  /** The refusal, after whatever comes first. */
  const saying =
    (...words: Parameters<typeof refusal>) =>
    (socket: Socket) =>
      void socket.once('data', () => socket.end(refusal(...words)));

  beforeAll(async () => {
    server = createServer(socket => {
      socket.on('error', () => {});
      answer(socket);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    url = `postgresql://me:hunter2@127.0.0.1:${typeof address === 'object' ? address?.port : ''}/shop`;
  });
  afterAll(() => void server.close());

  test.each([
    ['starting', '57P03', 'the database system is starting up', /is starting or recovering, 57P03/],
    ['starting', '57P03', 'the database system is in recovery mode', /is starting or recovering, 57P03/],
    ['stopping', '57P03', 'the database system is shutting down', /is shutting down, 57P03/],
    ['stopping', '57P01', 'terminating connection due to administrator command', /is shutting down, 57P01/],
    ['full', '53300', 'sorry, too many clients already', /has no connection left, 53300/],
    [
      'startup-parameter',
      '08P01',
      'unsupported startup parameter: lock_timeout',
      /says "unsupported startup parameter: lock_timeout" \(08P01\)/,
    ],
    ['password', '08P01', 'SASL authentication failed', /a pooler that says "SASL authentication failed" \(28P01\)/],
    ['role-missing', '08P01', 'no such user', /a pooler that says "no such user" \(28000\)/],
    ['hba', '08P01', 'login rejected', /a pooler that says "login rejected" \(28000\)/],
    ['database-missing', '08P01', 'database "shop" does not exist', /a pooler that says .* does not exist" \(3D000\)/],
    ['full', '08P01', 'no more connections allowed (max_client_conn)', /a pooler that says "no more .*", 53300/],
    ['full', '08P01', 'remaining connection slots are reserved', /a pooler that says "remaining .*", 53300/],
    ['stopping', '08P01', 'pooler is shutting down', /a pooler that says "pooler is shutting down", 57P01/],
    ['behind-pooler', '08P01', 'pgbouncer cannot connect to server', /a pooler that says "pgbouncer .*", 08001/],
    ['behind-pooler', '08P01', 'query_wait_timeout', /a pooler that says "query_wait_timeout", 08001/],
    ['server-words', '08P01', 'no such user allowed here', /says "no such user allowed here", 08P01/],
    ['server-words', '0A000', 'unsupported frontend protocol', /says "unsupported frontend protocol" \(0A000\)/],
  ])('%s (%s: %s)', async (kind, code, message, says) => {
    answer = saying(code, message);
    await expectFailure(url, kind, says);
  });

  test('closes its socket also when the server does not', async () => {
    const open = new Set<Socket>();
    answer = socket => {
      open.add(socket.on('close', () => open.delete(socket)));
      socket.once('data', () => socket.write(refusal('57P03', 'the database system is starting up')));
    };
    await expectFailure(url, 'starting', /57P03/);
    await eventually(() => expect(open.size).toBe(0));
  });

  /** Injected: which addresses a machine has no route to is its own affair. */
  test.each(['ENETUNREACH', 'EHOSTUNREACH'])('unreachable (%s)', async code => {
    const connect = vi.spyOn(Socket.prototype, 'connect').mockImplementation(function (this: Socket) {
      const error = Object.assign(new Error(`connect ${code} 127.0.0.1`), { code, syscall: 'connect' });
      process.nextTick(() => this.destroy(error));
      return this;
    });
    try {
      await expectFailure(url, 'unreachable', new RegExp(`cannot be reached over the network, ${code}`));
    } finally {
      connect.mockRestore();
    }
  });

  test('timeout', async () => {
    answer = () => {};
    await expectFailure(url, 'timeout', /does not answer, ETIMEDOUT/, 700);
  });

  test('tls-failed', async () => {
    answer = socket => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await expectFailure(`${url}?sslmode=verify-full`, 'tls-failed', /agree on TLS/);
  });
});
