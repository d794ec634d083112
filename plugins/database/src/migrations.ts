import type { Clock } from '@keelson/core';
import { Deadline, KeelsonError } from '@keelson/core';
import type { Migrator } from '@mikro-orm/migrations';
import { withDirectConnections } from './driver/direct-connections.js';
import type { DatabaseDriver, DriverConnection } from './driver/driver.js';
import { faultFacts } from './errors/connection-error.js';
import { translate } from './errors/translate.js';
import type { Orm } from './orm.js';

/** Any number that is ours: the key of the advisory lock that migrating instances take. */
const lockKey = 5_533_147_661;
const pauseMs = 100;

export interface MigrateOptions {
  readonly orm: Orm;
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Applies what is not yet applied, in one transaction. Of several instances one does it, and the others wait for it. */
export async function migrateUp(options: MigrateOptions): Promise<readonly string[]> {
  const { orm, timeoutMs } = options;
  const migrator: Migrator = orm.config.getExtension('@mikro-orm/migrator') ?? missing();
  return alone(options, async () => {
    const applied = await withDirectConnections({ statementTimeoutMs: timeoutMs }, () => migrator.up());
    return applied.map(({ name }) => name);
  }).catch((error: unknown) => {
    throw failed(error);
  });
}

async function alone<T>(options: MigrateOptions, work: () => Promise<T>): Promise<T> {
  const { driver, clock, timeoutMs } = options;
  if (!driver.capabilities.has('multi-connection')) return work();
  const deadline = Deadline.after(timeoutMs, clock);
  const connection = await driver.acquire({ deadline, readOnly: false });
  try {
    while (!(await locked(connection))) {
      if (deadline.passed) throw waitedTooLong(timeoutMs);
      await clock.sleep(pauseMs);
    }
    return await work();
  } finally {
    // An advisory lock of the session ends with its connection, whatever became of it.
    await connection.run([{ sql: `select pg_advisory_unlock(${lockKey})` }]);
    connection.release();
  }
}

async function locked(connection: DriverConnection): Promise<boolean> {
  const { results, failure } = await connection.run([{ sql: `select pg_try_advisory_lock(${lockKey}) as locked` }]);
  if (failure !== undefined) throw failure.error;
  return results[0]?.rows[0]?.locked === true;
}

function failed(error: unknown): unknown {
  const cause = translate(error);
  if (cause instanceof KeelsonError && cause.code === 'DATABASE_MIGRATION_FAILED') return cause;
  return new KeelsonError({
    code: 'DATABASE_MIGRATION_FAILED',
    message: `A migration failed and nothing of it is stored: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'Mend the migration, or the data it stumbles over, and start again.',
    facts: faultFacts(error),
    cause,
  });
}

function waitedTooLong(timeoutMs: number): KeelsonError {
  return new KeelsonError({
    code: 'DATABASE_MIGRATION_FAILED',
    message: `Another instance was still migrating after ${timeoutMs} ms.`,
    hint: 'Look at that instance, or give migrations.timeoutMs more time.',
    facts: { timeoutMs },
  });
}

function missing(): never {
  throw new Error('bug: the migrator is not registered');
}
