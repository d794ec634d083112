import { createHash } from 'node:crypto';
import { type Clock, Deadline, KeelsonError } from '@keelson/core';
import type { DatabaseDriver, DriverConnection } from '../driver/driver.js';

export interface MigrationLockOptions {
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  /** With its schema; who migrates with another table is not waited for. */
  readonly table: string;
  readonly timeoutMs: number;
}

const pauseMs = 100;

/**
 * Of several instances that migrate the same database with the same table, one does `work` and the others wait for it,
 * by an advisory lock on a connection of its own. A driver with a single connection has no others to wait for.
 */
export async function alone<T>(options: MigrationLockOptions, work: () => Promise<T>): Promise<T> {
  const { driver, clock, timeoutMs } = options;
  if (!driver.capabilities.has('multi-connection')) return work();
  const deadline = Deadline.after(timeoutMs, clock);
  const key = lockKey(driver.databaseName, options.table);
  const connection = await driver.acquire({ deadline, readOnly: false });
  try {
    while (!(await locked(connection, key))) {
      if (deadline.passed) throw waitedTooLong(timeoutMs);
      await clock.sleep(pauseMs);
    }
    return await work();
  } finally {
    // An advisory lock of the session ends with its connection, whatever became of it.
    await connection.run([{ sql: `select pg_advisory_unlock(${key})` }]);
    connection.release();
  }
}

/** The number that stands for the table: two services in one database do not wait for each other. */
export function lockKey(databaseName: string, table: string): bigint {
  const hash = createHash('sha256').update(`keelson migrations\0${databaseName}\0${table}`).digest();
  return hash.readBigInt64BE();
}

async function locked(connection: DriverConnection, key: bigint): Promise<boolean> {
  const { results, failure } = await connection.run([{ sql: `select pg_try_advisory_lock(${key}) as locked` }]);
  if (failure !== undefined) throw failure.error;
  return results[0]?.rows[0]?.locked === true;
}

function waitedTooLong(timeoutMs: number): KeelsonError {
  return new KeelsonError({
    code: 'DATABASE_MIGRATION_FAILED',
    message: `Another instance was still migrating after ${timeoutMs} ms.`,
    hint: 'Look at that instance, or give migrations.timeoutMs more time.',
    facts: { timeoutMs },
  });
}
