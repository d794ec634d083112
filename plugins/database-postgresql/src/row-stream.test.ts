import { Deadline, systemClock } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import type { DriverConnection } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { queryOnce } from '@keelson/test-support/query-once';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { optionsSchema } from './options.js';
import { PostgresqlDriver } from './postgresql-driver.js';
import { type Relay, startRelay } from './relay.fixture.js';

describe('a stream of rows', () => {
  let database: TestDatabase;
  let relay: Relay;
  let driver: PostgresqlDriver;
  let connection: DriverConnection;

  beforeAll(async () => {
    database = await createTestDatabase();
    relay = await startRelay(database.url);
  });
  afterAll(async () => {
    relay.close();
    await database[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    const options = optionsSchema.parse({ url: relay.url });
    driver = new PostgresqlDriver(options, { logger: new RecordingLogger(), clock: systemClock, directory: '.' });
    connection = await driver.acquire({ deadline: Deadline.after(5_000, systemClock), readOnly: false });
    await connection.run([{ sql: 'begin' }]);
  });
  afterEach(async () => {
    connection.release();
    await driver.close(Deadline.after(1_000, systemClock));
  });

  const stateOfServer = async () => {
    const sql = `select state from pg_stat_activity where pid = ${connection.processId}`;
    const [row] = await queryOnce(database.url, sql);
    return row?.state;
  };

  const readAll = async (sql: string, each?: () => Promise<void> | void) => {
    const read: number[] = [];
    for await (const rows of connection.stream({ sql }, 2)) {
      read.push(rows.length);
      await each?.();
    }
    return read;
  };

  test('gives so many rows at a time, and the rest at the end', async () => {
    expect(await readAll('select generate_series(1, 5) as n')).toEqual([2, 2, 1]);
    expect(await readAll('select generate_series(1, 4) as n')).toEqual([2, 2]);
    expect(await readAll('select 1 where false')).toEqual([]);
    expect(connection.status).toBe('in transaction');
  });

  test('outside of a transaction gives all rows at once', async () => {
    await connection.run([{ sql: 'commit' }]);
    expect(await readAll('select generate_series(1, 5) as n')).toEqual([5]);
    expect(connection.status).toBe('idle');
  });

  test('may take longer than one statement may: the limit is that of each read', async () => {
    await connection.run([{ sql: 'set local statement_timeout = 400' }]);
    expect(await readAll('select pg_sleep(0.1) from generate_series(1, 6)')).toEqual([2, 2, 2]);
  });

  test('whose reader pauses is a pause in the transaction, which the server limits', async () => {
    await connection.run([{ sql: 'set local idle_in_transaction_session_timeout = 300' }]);
    const reading = readAll('select generate_series(1, 5) as n', async () => {
      expect(await stateOfServer()).toBe('idle in transaction');
      await eventually(async () => (await stateOfServer()) === undefined);
      await eventually(() => connection.status === 'lost');
    });
    await expect(reading).rejects.toMatchObject({ code: '25P03' });
  });

  test('that is left does not keep its table', async () => {
    await connection.run([{ sql: 'create table item as select generate_series(1, 5) as n' }]);
    for await (const _ of connection.stream({ sql: 'select n from item' }, 2)) break;
    const { failure } = await connection.run([{ sql: 'alter table item add column name text' }]);
    expect(failure).toBeUndefined();
  });

  test('that fails gives the error of the server, and leaves the transaction to be rolled back', async () => {
    const reading = readAll('select 1 / (4 - n) from generate_series(1, 5) as n');
    await expect(reading).rejects.toMatchObject({ code: '22012', severity: 'ERROR' });
    expect(connection.status).toBe('failed transaction');
  });

  test('whose connection is lost after its last row, before the server is ready, rejects', async () => {
    const reading = readAll('select generate_series(1, 3) as n', () => relay.cutBeforeReady());
    await expect(reading).rejects.toThrow('Connection terminated');
    expect(connection.status).toBe('lost');
  });
});
