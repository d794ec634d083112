import type { Clock } from '@keelson/core';
import { markFault } from '../errors/fault-origin.js';
import type { BatchOutcome, ConnectionStatus, DatabaseDriver, DriverConnection, Row, Statement } from './driver.js';
import { unstorable } from './unstorable.js';

/** Is notified of how long connections are waited for and lent. */
export interface LoanObserver {
  readonly clock: Pick<Clock, 'now'>;
  waited(durationMs: number): void;
  used(durationMs: number): void;
}

/**
 * `driver`, with every error that comes out of it marked as its own, and nothing sent to it that PostgreSQL cannot hold.
 * What its callers gave it (the reason of a signal, the failure of a source of rows) comes out unmarked.
 */
export function markedDriver(driver: DatabaseDriver, observer?: () => LoanObserver | undefined): DatabaseDriver {
  const own = async <T>(work: Promise<T>, signal?: AbortSignal): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if (!(signal?.aborted === true && error === signal.reason)) markFault(error, marked);
      throw error;
    }
  };
  const openListener = driver.openListener?.bind(driver);
  const marked: DatabaseDriver = {
    name: driver.name,
    databaseName: driver.databaseName,
    get servers() {
      return driver.servers;
    },
    ...(driver.hasReplicas !== undefined && { hasReplicas: driver.hasReplicas }),
    ...(driver.positionProbe !== undefined && { positionProbe: driver.positionProbe }),
    ...(driver.hosts !== undefined && { hosts: () => driver.hosts?.() ?? [] }),
    ...(driver.askApart !== undefined && {
      askApart: (statements, signal, options) =>
        own(driver.askApart?.(statements, signal, options) ?? Promise.resolve([]), signal),
    }),
    ...(driver.lastingNameIn !== undefined && { lastingNameIn: sql => driver.lastingNameIn?.(sql) }),
    get engine() {
      return driver.engine;
    },
    get capabilities() {
      return driver.capabilities;
    },
    get transactionLimits() {
      return driver.transactionLimits;
    },
    get transactionIdProbe() {
      return driver.transactionIdProbe;
    },
    get isReadCommitted() {
      return driver.isReadCommitted ?? true;
    },
    connect: signal => own(driver.connect(signal), signal),
    acquire: async options => {
      const loans = observer?.();
      const askedAt = loans?.clock.now() ?? 0;
      const connection = new MarkedConnection(await own(driver.acquire(options), options.signal), marked);
      if (loans === undefined) return connection;
      const lentAt = loans.clock.now();
      loans.waited(lentAt - askedAt);
      return connection.observed(loans, lentAt);
    },
    ping: signal => own(driver.ping(signal), signal),
    transactionOutcome: (id, signal) => own(driver.transactionOutcome(id, signal), signal),
    ...(openListener !== undefined && { openListener: options => own(openListener(options), options.signal) }),
    stats: () => driver.stats(),
    suspend: () => driver.suspend(),
    resume: () => driver.resume(),
    renew: () => driver.renew(),
    close: deadline => driver.close(deadline),
    onLost: listener =>
      driver.onLost(cause => {
        markFault(cause, marked);
        listener(cause);
      }),
  };
  return marked;
}

class MarkedConnection implements DriverConnection {
  readonly #connection: DriverConnection;
  readonly #driver: object;
  /** Until it is back. */
  #loan: { readonly observer: LoanObserver; readonly since: number } | undefined;

  constructor(connection: DriverConnection, driver: object) {
    this.#connection = connection;
    this.#driver = driver;
  }

  observed(observer: LoanObserver, since: number): this {
    this.#loan = { observer, since };
    return this;
  }

  get status(): ConnectionStatus {
    return this.#connection.status;
  }

  get processId(): number | undefined {
    return this.#connection.processId;
  }

  async run(statements: readonly Statement[]): Promise<BatchOutcome> {
    const unsent = unstorable(statements);
    const outcome = unsent ? { results: [], failure: { error: unsent } } : await this.#connection.run(statements);
    markFault(outcome.failure?.error, this.#driver);
    return outcome;
  }

  async *stream(statement: Statement, chunkSize: number): AsyncIterable<Row[]> {
    try {
      const unsent = unstorable([statement]);
      if (unsent !== undefined) throw unsent;
      yield* this.#connection.stream(statement, chunkSize);
    } catch (error) {
      markFault(error, this.#driver);
      throw error;
    }
  }

  async copy(sql: string, lines: AsyncIterable<string>): Promise<number> {
    let sourceFailure: unknown;
    async function* watched(): AsyncGenerator<string> {
      try {
        yield* lines;
      } catch (error) {
        sourceFailure = error;
        throw error;
      }
    }
    try {
      return await this.#connection.copy(sql, watched());
    } catch (error) {
      if (error !== sourceFailure) markFault(error, this.#driver);
      throw error;
    }
  }

  cancel(signal: AbortSignal): Promise<void> {
    return this.#connection.cancel(signal);
  }

  release(): void {
    this.#connection.release();
    this.#returned();
  }

  destroy(reason: unknown): void {
    this.#connection.destroy(reason);
    this.#returned();
  }

  #returned(): void {
    const loan = this.#loan;
    if (loan === undefined) return;
    this.#loan = undefined;
    loan.observer.used(loan.observer.clock.now() - loan.since);
  }
}
