import type { DriverConnection } from '../driver/driver.js';
import { lockKey } from './migration-lock.js';
import { type Ask, askOver } from './migration-table.js';

/**
 * The sign that a connection is at a migration outside of a transaction, kept by that connection itself: a server goes on
 * with a statement whose client has died, and no run may start before it has ended. Put only under the lock: a run that has
 * the lock and sees none is alone.
 */
export class MigrationMark {
  readonly #key: bigint;

  constructor(databaseName: string, table: string) {
    this.#key = lockKey(databaseName, table, 'migration at work');
  }

  /**
   * False when none was put: behind a pooler that lends the server's connections by transaction it would stay on a
   * connection of somebody else.
   */
  async put(connection: DriverConnection): Promise<boolean> {
    const sql = `select case when pg_backend_pid() = $1::int then pg_try_advisory_lock(${this.#key}) else false end as put`;
    if (connection.processId === undefined) return false;
    const [row] = await askOver(connection)(sql, [connection.processId]);
    return row?.put === true;
  }

  async isPut(ask: Ask): Promise<boolean> {
    const [row] = await ask(this.#seen);
    return row?.seen === true;
  }

  get away(): string {
    return `select pg_advisory_unlock(${this.#key})`;
  }

  /** pg_locks has the two halves of a key as numbers without a sign. */
  get #seen(): string {
    const [high, low] = [BigInt.asUintN(32, this.#key >> 32n), BigInt.asUintN(32, this.#key)];
    return `select exists (select from pg_locks where locktype = 'advisory' and classid = ${high} and objid = ${low} and objsubid = 1
      and database = (select oid from pg_database where datname = current_database())) as seen`;
  }
}
