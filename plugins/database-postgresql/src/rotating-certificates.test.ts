import { chmodSync, chownSync, copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RecordingLogger } from '@keelson/core/testing';
import { canMakeCertificates, makeCertificate } from '@keelson/test-support/certificates';
import { eventually } from '@keelson/test-support/eventually';
import { postgresIdentity } from '@keelson/test-support/postgres-binaries';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TlsFiles } from './tls-files.js';

describe.skipIf(!canMakeCertificates)('certificates that change while the service runs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-rotating-'));
  const at = (name: string) => join(folder, name);
  let server: PostgresServer;
  let url: URL;
  let service: PostgresqlService;

  /** As a tool that replaces a file does it: in one moment. */
  const put = (from: string, to: string) => {
    copyFileSync(at(from), at(`${to}.new`));
    renameSync(at(`${to}.new`), at(to));
  };
  const give = (from: string, to: string) => {
    const target = join(server.dataDirectory, to);
    copyFileSync(at(from), target);
    chmodSync(target, 0o600);
    const { uid, gid } = postgresIdentity;
    if (uid !== undefined && gid !== undefined) chownSync(target, uid, gid);
  };
  async function serve(name: string, authority: string): Promise<void> {
    give(`${name}.crt`, 'server.crt');
    give(`${name}.key`, 'server.key');
    give(`${authority}.crt`, 'root.crt');
    const loadedAt = async () =>
      (await server.query<{ at: Date }>('select pg_conf_load_time() as at'))[0]?.at.getTime();
    const before = await loadedAt();
    await server.query('select pg_reload_conf()');
    await eventually(async () => (await loadedAt()) !== before);
  }
  const takeClient = (name: string) => {
    put(`${name}.crt`, 'client.crt');
    put(`${name}.key`, 'client.key');
  };
  const reconnect = () =>
    server.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'keelson'");
  const works = async () => {
    expect(await service.database.session(em => em.execute('select 1 as one'))).toEqual([{ one: 1 }]);
  };
  const open = async (login?: { readonly onLogin: () => void }) => {
    const search = new URLSearchParams({ sslmode: 'verify-full', sslrootcert: at('ca.crt') });
    search.set('sslcert', at('client.crt'));
    search.set('sslkey', at('client.key'));
    const credential = { password: 'keelson' };
    const current = async () => {
      login?.onLogin();
      return credential;
    };
    service = await connectPostgresqlService({
      url: Object.assign(new URL(url), { search }).href,
      ...(login && { login: { credentials: { current, renewed: current } } }),
    });
    await works();
  };

  beforeAll(async () => {
    server = await startPostgres();
    url = new URL(await server.createDatabase('certificates'));
    url.hostname = 'localhost';
    for (const number of [1, 2]) {
      makeCertificate(folder, `authority-${number}`, { commonName: `authority ${number}` });
      const authority = `authority-${number}`;
      makeCertificate(folder, `server-${number}`, { commonName: 'localhost', authority });
      makeCertificate(folder, `client-${number}`, { commonName: 'keelson', authority });
    }
    writeFileSync(
      join(server.dataDirectory, 'pg_hba.conf'),
      ['hostssl all keelson all cert', 'host all all all scram-sha-256', ''].join('\n'),
    );
    give('server-1.crt', 'server.crt');
    give('server-1.key', 'server.key');
    give('authority-1.crt', 'root.crt');
    await server.query("alter system set ssl_ca_file = 'root.crt'");
    await server.query('alter system set ssl = on');
    await serve('server-1', 'authority-1');
  });
  afterAll(async () => {
    await server.dispose();
    rmSync(folder, { recursive: true });
  });
  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    await serve('server-1', 'authority-1');
  });
  const startWithFirst = async (login?: { readonly onLogin: () => void }) => {
    put('authority-1.crt', 'ca.crt');
    takeClient('client-1');
    await open(login);
  };

  test('authority, certificate and key are read again for the next connection', async () => {
    await startWithFirst();
    await serve('server-2', 'authority-2');
    put('authority-2.crt', 'ca.crt');
    takeClient('client-2');
    await reconnect();
    await works();
    expect(await service.database.health()).toMatchObject({ status: 'pass' });
  });

  test('a connection that fails with files that are others now is opened with those before a caller gets an error', async () => {
    let isRotating = false;
    const onLogin = () => {
      if (!isRotating) return;
      isRotating = false;
      put('authority-2.crt', 'ca.crt');
      takeClient('client-2');
    };
    await startWithFirst({ onLogin });
    await serve('server-2', 'authority-2');
    // The next login is that of a session: the connection for questions stays.
    service.database.renewConnections();
    await eventually(() => service.database.stats().total === 0);
    isRotating = true;
    await works();
    expect(isRotating).toBe(false);
  });

  test('a new certificate with the old key is not taken; with its key it is', async () => {
    await startWithFirst();
    put('client-2.crt', 'client.crt');
    await reconnect();
    await works();
    expect(service.logger.lines().map(({ message }) => message)).toContain(
      'changed TLS files cannot be used, the previous ones stay in use',
    );
    put('client-2.key', 'client.key');
    await serve('server-1', 'authority-2');
    await reconnect();
    await works();
  });

  test('files that have not changed are not read again', async () => {
    put('authority-1.crt', 'ca.crt');
    const files = new TlsFiles(new URLSearchParams({ sslrootcert: at('ca.crt') }), new RecordingLogger());
    const first = files.contents;
    expect(files.contents).toBe(first);
    put('authority-2.crt', 'ca.crt');
    const second = files.contents;
    expect(second.ca).not.toBe(first.ca);
    expect(files.contents).toBe(second);
    rmSync(at('ca.crt'));
    expect(files.contents).toBe(second);
    await startWithFirst();
  });
});
