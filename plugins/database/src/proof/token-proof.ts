import { type Clock, Deadline, type Logger } from '@keelson/core';
import type { BatchOutcome, DatabaseDriver, Statement, TransactionOutcome } from '../driver/driver.js';
import { sqlStateOf } from '../errors/sql-state.js';
import type { CommitMark, CommitProof } from './commit-proof.js';
import { newToken } from './commit-token.js';
import { makeUsable } from './make-usable.js';
import { TokenCleaner } from './token-cleaner.js';
import { TokenTable } from './token-table.js';

export interface TokenProofParts {
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tableName: string;
  readonly keepMs: number;
  readonly cleanEveryMs: number;
}

/** How long a look waits for the old transaction; then it makes way for others, and is asked again. */
const limit: Statement = { sql: `select set_config('lock_timeout', '20', true)` };

/** A transaction that still waits for its client after this long will not get its COMMIT. */
const patienceMs = 1_000;
/** Long enough to see what the look waits for. */
const longLimit: Statement = { sql: `select set_config('lock_timeout', '500', true)` };

/** Longest wait for a connection; the caller has its own deadline. */
const longestMs = 30_000;

/** The old transaction is in progress, or has just ended. */
const tooEarly = new Set(['55P03', '40001', '40P01']);

/** Looks up the token that a transaction has written. It is true of the server on which it is looked up, whatever became of others. */
export class TokenProof implements CommitProof {
  readonly name = 'token';
  readonly table: TokenTable;
  readonly #parts: TokenProofParts;
  readonly #cleaner: TokenCleaner;

  constructor(parts: TokenProofParts) {
    this.#parts = parts;
    this.table = new TokenTable(parts.tableName, parts.keepMs);
    this.#cleaner = new TokenCleaner({ ...parts, table: this.table });
  }

  /** Where the server can be asked for ids, and they do not stand for all, another server commits its part before. */
  get isWhole(): boolean {
    const { capabilities } = this.#parts.driver;
    return capabilities.has('write-implies-id') || !capabilities.has('commit-lookup');
  }

  /** Resolves when tokens can be written and looked up, with the table made where it was missing. */
  async prepare(deadline: Deadline, signal: AbortSignal): Promise<void> {
    await makeUsable({ ...this.#parts, table: this.table }, deadline, signal);
    this.#cleaner.start();
  }

  stop(): void {
    this.#cleaner.stop();
  }

  mark(): CommitMark {
    const { clock } = this.#parts;
    const token = newToken(clock.date().getTime());
    return { statement: this.table.insert(token), key: `${token}@${clock.now()}` };
  }

  async outcome(key: string, signal: AbortSignal, askedForMs: number): Promise<TransactionOutcome> {
    const [token = '', writtenAt] = key.split('@');
    try {
      const results = await this.#ask(this.table.look(token), signal, askedForMs > patienceMs);
      const outcome = results.at(-1)?.rows[0]?.outcome;
      if (outcome === 'committed') return outcome;
      if (outcome !== 'aborted') return 'unknown';
      // One that was committed long ago may have been cleaned away; the clocks of two servers may differ.
      return this.#parts.clock.now() - Number(writtenAt) < this.#parts.keepMs / 2 ? outcome : 'unknown';
    } catch (error) {
      if (tooEarly.has(sqlStateOf(error) ?? '')) return 'in progress';
      throw error;
    }
  }

  #ask(look: Statement, signal: AbortSignal, endsIdle: boolean): Promise<BatchOutcome['results']> {
    const { driver } = this.#parts;
    const limits = driver.capabilities.has('server-timeouts') ? [endsIdle ? longLimit : limit] : [];
    const statements = [...limits, look];
    return driver.askApart?.(statements, signal, { endsIdle }) ?? this.#askOnLoan(statements, signal);
  }

  async #askOnLoan(statements: readonly Statement[], signal: AbortSignal): Promise<BatchOutcome['results']> {
    const deadline = Deadline.after(longestMs, this.#parts.clock);
    const connection = await this.#parts.driver.acquire({ deadline, readOnly: false, signal });
    const giveUp = () => connection.destroy(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const { results, failure } = await connection.run(statements);
      if (failure !== undefined) throw failure.error;
      return results;
    } finally {
      signal.removeEventListener('abort', giveUp);
      connection.release();
    }
  }
}
