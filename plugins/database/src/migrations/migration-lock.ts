import { createHash } from 'node:crypto';
import type { Clock, Deadline } from '@keelson/core';
import { borrowWithin } from '../driver/bounded-loan.js';
import type { DatabaseDriver, DriverConnection, Statement } from '../driver/driver.js';
import { isDefiniteRefusal } from '../errors/sql-state.js';
import { longBeginStatements } from '../transaction/transaction-settings.js';

/**
 * The lock of those who migrate one database with one table: it belongs to a transaction, and is gone with it however it
 * ends. It is asked for again and again instead of waited for: a statement that waits holds a snapshot, and CREATE INDEX
 * CONCURRENTLY of the lock's holder would wait for that. What is read after it is what the last holder has left.
 */
export function lockStatement(databaseName: string, table: string): string {
  return `select pg_try_advisory_xact_lock(${lockKey(databaseName, table)}) as locked`;
}

/** The number that stands for the table: two services in one database do not wait for each other. */
export function lockKey(databaseName: string, table: string, what = 'migrations'): bigint {
  const hash = createHash('sha256').update(`keelson ${what}\0${databaseName}\0${table}`).digest();
  return hash.readBigInt64BE();
}

/**
 * The lock of a migration that cannot run in a transaction: held by a transaction on a connection of its own, which reads
 * nothing, so that it has no snapshot and no statement waits for it. It ends by noting what was done.
 */
export class HeldLock {
  readonly #connection: DriverConnection;

  private constructor(connection: DriverConnection) {
    this.#connection = connection;
  }

  /** Undefined when another has it. */
  static async take(
    parts: { readonly driver: DatabaseDriver; readonly clock: Clock },
    lock: string,
    deadline: Deadline,
  ): Promise<HeldLock | undefined> {
    const connection = await borrowWithin(parts, { deadline });
    const held = new HeldLock(connection);
    const { driver } = parts;
    const limits = driver.capabilities.has('server-timeouts') ? [unlimited] : [];
    // 0 would be no limit.
    const idleTimeoutMs = Math.max(1, deadline.remainingMs());
    const statements = [...longBeginStatements(driver, { idleTimeoutMs }), ...limits, lock];
    const { results, failure } = await connection.run(statements.map(sql => ({ sql })));
    if (results.at(-1)?.rows[0]?.locked === true) return held;
    await held.end();
    if (failure !== undefined) throw failure.error;
    return undefined;
  }

  async isHeld(): Promise<boolean> {
    const { failure } = await this.#connection.run([{ sql: 'select 1' }]);
    return failure === undefined && this.#connection.status === 'in transaction';
  }

  /** Does `statement` and commits. `unknown`: the lock was lost, and COMMIT was not answered. */
  async finish(statement: Statement): Promise<'done' | 'not done' | 'unknown'> {
    const { failure } = await this.#connection.run([statement]);
    if (failure !== undefined && this.#connection.status !== 'lost') throw failure.error;
    if (failure !== undefined) return 'not done';
    const commit = await this.#connection.run([{ sql: 'commit' }]);
    if (commit.failure !== undefined) return isDefiniteRefusal(commit.failure.error) ? 'not done' : 'unknown';
    return commit.results[0]?.command === 'COMMIT' ? 'done' : 'not done';
  }

  /** Gives the lock back, when it is still held. */
  async end(): Promise<void> {
    const { status } = this.#connection;
    if (status !== 'idle' && status !== 'lost') await this.#connection.run([{ sql: 'rollback' }]);
    this.#connection.release();
  }
}

/** From PostgreSQL 17 on the longest transaction can be limited, too; before, there is nothing of that name. */
const unlimited = `select set_config(name, '0', true) from pg_settings where name = 'transaction_timeout'`;
