import { existsSync } from 'node:fs';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from './daemon.js';
import { hasPgbouncer, startPgbouncer } from './pgbouncer.js';
import { isAlive } from './processes.js';

test('a program that the machine does not have is not found', () => {
  expect(findProgram('keelson-has-no-such-program')).toBeUndefined();
});

describe.skipIf(!hasPgbouncer)('the pgbouncer of a test', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database[Symbol.asyncDispose]());

  const ask = async (url: string, sql: string) => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(sql)).rows[0];
    } finally {
      await client.end();
    }
  };

  test('leads to the database, pools as it is configured, and is the same after a restart and after kill -9', async () => {
    await using bouncer = await startPgbouncer({ to: database.url, poolMode: 'session', poolSize: 3 });
    const name = { name: database.name };
    expect(await ask(bouncer.url(), 'select current_database() as name')).toEqual(name);
    const [pool] = (await bouncer.command('show pools')).filter(row => row.database === database.name);
    expect(pool).toMatchObject({ pool_mode: 'session' });
    const { pid } = bouncer;
    await bouncer.restart();
    expect(bouncer.pid).not.toBe(pid);
    expect(await ask(bouncer.url(), 'select current_database() as name')).toEqual(name);
    await bouncer.kill('SIGKILL');
    await expect(ask(bouncer.url(), 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await bouncer.start();
    expect(await ask(bouncer.url(), 'select current_database() as name')).toEqual(name);
  });

  test('leaves neither a process nor a file behind', async () => {
    const bouncer = await startPgbouncer({ to: database.url });
    const [{ value: file } = { value: '' }] = (await bouncer.command('show config')).filter(
      row => row.key === 'auth_file',
    );
    expect(existsSync(file)).toBe(true);
    const pid = bouncer.pid ?? 0;
    await bouncer.dispose();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(file)).toBe(false);
  });

  test('says why it does not start', async () => {
    const settings = { pool_mode: 'none of them' };
    await expect(startPgbouncer({ to: database.url, settings })).rejects.toThrow(/did not start[\s\S]*pool_mode/);
  });
});
