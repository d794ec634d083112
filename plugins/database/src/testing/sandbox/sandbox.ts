import { Deadline, systemClock } from '@keelson/core';
import type { AcquireOptions, DatabaseDriver, DriverConnection } from '../../driver/driver.js';
import { Permits } from '../../driver/permits.js';
import { AcquireTimeoutError } from '../../errors/connection-error.js';
import { SandboxConnection } from './sandbox-connection.js';

/** How long the sandbox waits for its connection, and at its end for the last session. */
const waitMs = 30_000;
const sandboxed = new WeakSet<DatabaseDriver>();

/** One transaction that stands for the database of a driver: it lends the connection of the transaction, to one at a time. */
export class Sandbox implements AsyncDisposable {
  readonly #driver: DatabaseDriver;
  readonly #acquire: DatabaseDriver['acquire'];
  readonly #connection: DriverConnection;
  readonly #permits: Permits;

  private constructor(driver: DatabaseDriver, connection: DriverConnection) {
    const timedOut = (waitedMs: number) => new AcquireTimeoutError({ ...driver.stats(), waitedMs });
    this.#driver = driver;
    this.#acquire = driver.acquire;
    this.#connection = connection;
    this.#permits = new Permits({
      max: 1,
      maxWaiting: Number.POSITIVE_INFINITY,
      clock: systemClock,
      onTimeout: timedOut,
      onFull: () => timedOut(0),
    });
  }

  /** @throws TypeError when the driver has one already; what `acquire` throws. */
  static async open(driver: DatabaseDriver): Promise<Sandbox> {
    if (sandboxed.has(driver)) throw new TypeError('A sandbox of this database is open: a test has one at a time.');
    sandboxed.add(driver);
    try {
      const deadline = Deadline.after(waitMs, systemClock);
      const connection = await driver.acquire({ deadline, readOnly: false });
      const { failure } = await connection.run([{ sql: 'begin' }]);
      if (failure !== undefined) {
        connection.destroy(failure.error);
        throw failure.error;
      }
      const sandbox = new Sandbox(driver, connection);
      Object.assign(driver, { acquire: (options: AcquireOptions) => sandbox.#lend(options) });
      return sandbox;
    } catch (error) {
      sandboxed.delete(driver);
      throw error;
    }
  }

  /** Waits for the last session, then takes everything back. */
  async [Symbol.asyncDispose](): Promise<void> {
    const last = await this.#permits.acquire(Deadline.after(waitMs, systemClock)).catch(() => undefined);
    Object.assign(this.#driver, { acquire: this.#acquire });
    sandboxed.delete(this.#driver);
    if (last === undefined) return this.#connection.destroy(new Error('A session has outlived its sandbox'));
    await this.#connection.run([{ sql: 'rollback' }]);
    this.#connection.release();
  }

  async #lend({ deadline, signal }: AcquireOptions): Promise<DriverConnection> {
    const permit = await this.#permits.acquire(deadline, signal);
    return new SandboxConnection(this.#connection, () => permit.release());
  }
}
