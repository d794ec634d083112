import { type Clock, Deadline, type Logger, type Timer } from '@keelson/core';
import { borrowWithin } from '../driver/bounded-loan.js';
import type { DatabaseDriver, DriverConnection } from '../driver/driver.js';
import { faultFacts } from '../errors/connection-error.js';
import { firstTokenAt } from './commit-token.js';
import { cleanedAtOnce, type TokenTable } from './token-table.js';

export interface TokenCleanerParts {
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: TokenTable;
  readonly keepMs: number;
  readonly cleanEveryMs: number;
  readonly random?: () => number;
}

/** What it reads is no reason for units that are serializable to fail. */
const begin = { sql: 'begin isolation level read committed' };
const commit = { sql: 'commit' };

/** Longest run, the wait for a connection included. */
const longestMs = 10_000;

/** Deletes old tokens now and then, some thousand at a time. Instances pass over what another deletes. */
export class TokenCleaner {
  readonly #parts: TokenCleanerParts;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: TokenCleanerParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    const { clock, cleanEveryMs, random = Math.random } = this.#parts;
    // At other moments than the other instances, which may have started with this one.
    const delayMs = cleanEveryMs * (0.5 + random());
    this.#timer = clock.schedule(delayMs, () => void this.#run());
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #run(): Promise<void> {
    const { logger, table } = this.#parts;
    try {
      const count = await this.#clean();
      if (count > 0) logger.debug('commit tokens deleted', { table: table.name, count });
    } catch (error) {
      if (!this.#isStopped) logger.warn('commit tokens were not deleted', { table: table.name, ...faultFacts(error) });
    }
    this.#timer = undefined;
    this.start();
  }

  async #clean(): Promise<number> {
    const { driver, clock } = this.#parts;
    const deadline = Deadline.after(longestMs, clock);
    const connection = await borrowWithin({ driver, clock }, { deadline });
    try {
      return await this.#cleanOver(connection, deadline);
    } finally {
      connection.release();
    }
  }

  async #cleanOver(connection: DriverConnection, deadline: Deadline): Promise<number> {
    const { clock, table, keepMs } = this.#parts;
    const bound = firstTokenAt(clock.date().getTime() - keepMs);
    for (let deleted = 0; ; ) {
      const { results, failure } = await connection.run([begin, table.clean(bound), commit]);
      if (failure !== undefined) throw failure.error;
      const count = results[1]?.rowCount ?? 0;
      deleted += count;
      if (count < cleanedAtOnce || deadline.passed || this.#isStopped) return deleted;
    }
  }
}
