import { Deadline, systemClock } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import type { DriverConnection } from '@keelson/database';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.js';
import { startTcpProxy, type TcpProxy } from '../../../test/support/tcp-proxy.js';
import { optionsSchema } from './options.js';
import { PostgresqlDriver } from './postgresql-driver.js';

describe('COPY on a connection', () => {
  let testDatabase: TestDatabase;
  let proxy: TcpProxy;
  let driver: PostgresqlDriver;
  let connection: DriverConnection;
  const sql = 'copy item from stdin';

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    proxy = await startTcpProxy({ to: testDatabase.url });
    const options = optionsSchema.parse({ url: proxy.url() });
    driver = new PostgresqlDriver(options, { logger: new RecordingLogger(), clock: systemClock, directory: '.' });
    connection = await driver.acquire({ deadline: Deadline.after(5_000, systemClock), readOnly: false });
    await connection.run([{ sql: 'create table item (id integer primary key)' }]);
  });

  afterAll(async () => {
    connection.release();
    await driver.close(Deadline.after(1_000, systemClock));
    await proxy.dispose();
    await testDatabase[Symbol.asyncDispose]();
  });

  const count = async () => {
    const { results, failure } = await connection.run([{ sql: 'select count(*)::int as count from item' }]);
    if (failure !== undefined) throw failure.error;
    return results[0]?.rows[0]?.count;
  };

  async function* lines(to: number, end?: () => never) {
    for (let id = 0; id < to; id++) yield `${id}\n`;
    end?.();
  }

  test('resolves to the number of rows stored', async () => {
    await connection.run([{ sql: 'truncate item' }]);
    expect(await connection.copy(sql, lines(1_000))).toBe(1_000);
    expect(await count()).toBe(1_000);
  });

  test('lines that throw: their error comes out, the server is told nothing of it, nothing is stored', async () => {
    await connection.run([{ sql: 'truncate item' }]);
    const recording = proxy.recording();
    const failing = connection.copy(
      sql,
      lines(10, () => {
        throw new Error('a secret value');
      }),
    );
    await expect(failing).rejects.toThrow('a secret value');
    expect(connection.status).toBe('idle');
    expect(await count()).toBe(0);
    expect(JSON.stringify(recording.statements)).not.toContain('a secret value');
  });

  test('a line that the server refuses: the connection is ready when the error comes out', async () => {
    await connection.run([{ sql: 'truncate item' }, { sql: 'begin' }]);
    const failing = connection.copy(
      sql,
      (async function* () {
        yield* lines(10);
        yield 'x\n';
        yield* lines(10_000);
      })(),
    );
    await expect(failing).rejects.toMatchObject({
      code: '22P02',
      where: expect.stringContaining('COPY item, line 11'),
    });
    expect(connection.status).toBe('failed transaction');
    await connection.run([{ sql: 'rollback' }]);
    expect(await count()).toBe(0);
  });

  test('a connection lost in the middle rejects', async () => {
    const other = await driver.acquire({ deadline: Deadline.after(5_000, systemClock), readOnly: false });
    const failing = other.copy(
      sql,
      (async function* () {
        yield* lines(10);
        proxy.cut();
        yield* lines(10);
      })(),
    );
    await expect(failing).rejects.toThrow();
    expect(other.status).toBe('lost');
    other.release();
  });
});
