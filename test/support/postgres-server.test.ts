import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase } from './database.js';
import { eventually } from './eventually.js';
import { type PostgresServer, startPostgres } from './postgres-server.js';
import { isAlive } from './processes.js';

describe('startPostgres', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ settings: { max_connections: 12 } });
  });
  afterAll(() => server.dispose());

  test('runs PostgreSQL 18 with the settings asked for', async () => {
    expect(await server.query('show server_version_num')).toEqual([
      { server_version_num: expect.stringMatching(/^18/) },
    ]);
    expect(await server.query('show max_connections')).toEqual([{ max_connections: '12' }]);
  });

  test('creates a database for a role that is no superuser', async () => {
    const client = new pg.Client({ connectionString: await server.createDatabase('orders') });
    await client.connect();
    await client.query('create table t (id int)');
    const { rows } = await client.query("select current_user as role, current_setting('is_superuser') as super");
    await client.end();
    expect(rows).toEqual([{ role: 'keelson', super: 'off' }]);
  });

  test('refuses a wrong password', async () => {
    const url = server.url.replace('postgres:keelson@', 'postgres:wrong@');
    await expect(new pg.Client({ connectionString: url }).connect()).rejects.toMatchObject({ code: '28P01' });
  });

  test.each(['fast', 'immediate'] as const)('restarts (%s) on the same port with what was committed', async mode => {
    const { port, pid } = server;
    await server.query(`create table kept_${mode} as select 1 as id`);
    await server.restart(mode);
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    expect(await server.query(`select * from kept_${mode}`)).toEqual([{ id: 1 }]);
  });

  test('refuses connections while it is stopped', async () => {
    await server.stop();
    expect(server.pid).toBeUndefined();
    await expect(server.query('select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server.start();
    expect(await server.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('starts again after kill -9 of the postmaster, with what was committed', async () => {
    const client = new pg.Client({ connectionString: server.url });
    client.on('error', () => {});
    await client.connect();
    await client.query('create table survived as select 1 as id');
    await server.kill('SIGKILL');
    expect(server.pid).toBeUndefined();
    await server.start();
    expect(await server.query('select * from survived')).toEqual([{ id: 1 }]);
  });

  test('after kill -9 nothing of the server runs on, not even a busy backend', async () => {
    const client = new pg.Client({ connectionString: server.url });
    client.on('error', () => {});
    await client.connect();
    client.query('select count(*) from generate_series(1, 1e10)').catch(() => {});
    const busy =
      "select pid from pg_stat_activity where state = 'active' and query like '%1e10%' and pid <> pg_backend_pid()";
    const pid = await eventually(async () => (await server.query<{ pid: number }>(busy))[0]?.pid ?? false);
    await server.kill('SIGKILL');
    expect(isAlive(pid)).toBe(false);
    await server.start();
    expect(await server.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('frozen, it accepts connections and answers nothing until it is thawed', async () => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    server.freeze();
    let answered = 0;
    const waiting = [client.query('select 1'), server.query('select 1')].map(query => query.then(() => answered++));
    await new Promise(resolve => setTimeout(resolve, 100));
    expect(answered).toBe(0);
    server.thaw();
    await Promise.all(waiting);
    expect(answered).toBe(2);
    await client.end();
  });

  test('disposed, it leaves no process and no file, frozen or not', async () => {
    const other = await startPostgres();
    const { pid = 0, dataDirectory } = other;
    other.freeze();
    await other.dispose();
    await other.dispose();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(dataDirectory)).toBe(false);
  });

  test.runIf(process.platform === 'linux')('disposed after kill -9, it leaves no shared memory', async () => {
    const other = await startPostgres();
    const file = readFileSync(join(other.dataDirectory, 'postmaster.pid'), 'utf8');
    const segment = file.split('\n')[6]?.trim().split(/\s+/)[1] ?? '';
    const isThere = () =>
      new RegExp(`^\\s*-?\\d+\\s+${segment}\\s`, 'm').test(readFileSync('/proc/sysvipc/shm', 'utf8'));
    expect(isThere()).toBe(true);
    await other.kill('SIGKILL');
    await other.dispose();
    expect(isThere()).toBe(false);
  });
});

test('createTestDatabase gives an empty database, and drops it with its users when disposed', async () => {
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  const ended = new Promise(resolve => client.once('end', resolve));
  client.on('error', () => {});
  await client.connect();
  await client.query('create table t (id int)');
  await database[Symbol.asyncDispose]();
  await ended;
  await expect(new pg.Client({ connectionString: database.adminUrl }).connect()).rejects.toMatchObject({
    code: '3D000',
  });
});
