import { Deadline, systemClock } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import type { DriverConnection } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { optionsSchema } from './options.js';
import { PostgresqlDriver } from './postgresql-driver.js';
import { type Relay, startRelay } from './relay.fixture.js';

describe('COPY on a connection', () => {
  let testDatabase: TestDatabase;
  let relay: Relay;
  let driver: PostgresqlDriver;
  let connection: DriverConnection;
  const sql = 'copy item from stdin';

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    relay = await startRelay(testDatabase.url);
    const options = optionsSchema.parse({ url: relay.url });
    driver = new PostgresqlDriver(options, { logger: new RecordingLogger(), clock: systemClock, directory: '.' });
    connection = await driver.acquire({ deadline: Deadline.after(5_000, systemClock), readOnly: false });
    await connection.run([{ sql: 'create table item (id integer primary key)' }]);
  });

  afterAll(async () => {
    connection.release();
    await driver.close(Deadline.after(1_000, systemClock));
    relay.close();
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

  test('lines that throw: their error comes out, the server does not receive it, nothing is stored', async () => {
    await connection.run([{ sql: 'truncate item' }]);
    relay.said.length = 0;
    const failing = connection.copy(
      sql,
      lines(10, () => {
        throw new Error('a secret value');
      }),
    );
    await expect(failing).rejects.toThrow('a secret value');
    expect(connection.status).toBe('idle');
    expect(await count()).toBe(0);
    const said = Buffer.concat(relay.said).toString();
    expect(said).toContain('the source of the rows failed');
    expect(said).not.toContain('a secret value');
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
        relay.cut();
        yield* lines(10);
      })(),
    );
    await expect(failing).rejects.toThrow();
    expect(other.status).toBe('lost');
    other.release();
  });

  test('a connection that was lost before rejects', async () => {
    const other = await driver.acquire({ deadline: Deadline.after(5_000, systemClock), readOnly: false });
    relay.cut();
    await eventually(() => other.status === 'lost');
    await expect(other.copy(sql, lines(10))).rejects.toThrow();
    other.release();
  });
});
