import { sqlStateOf, type TransactionLimits } from '@keelson/database';
import pg from 'pg';
import { asPgClient } from './pg-internals.js';

const names = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'] as const;

/**
 * The limits with which connections to one place are opened, until they are refused there: a pooler refuses what it does not
 * know. From then on connections are opened without them.
 */
export class StartupLimits {
  /** Those of the url come before those of the options. */
  readonly limits: TransactionLimits;
  #areRefused = false;

  constructor(config: pg.ClientConfig) {
    const given = asPgClient(new pg.Client(config)).connectionParameters;
    this.limits = {
      statementTimeoutMs: inMs(given.statement_timeout),
      lockTimeoutMs: inMs(given.lock_timeout),
      idleTimeoutMs: inMs(given.idle_in_transaction_session_timeout),
    };
  }

  get areRefused(): boolean {
    return this.#areRefused;
  }

  /** To be called before `client` connects. */
  prepare(client: pg.ClientBase): void {
    if (!this.#areRefused) return;
    const { connectionParameters } = asPgClient(client);
    for (const name of names) connectionParameters[name] = false;
  }

  /** To be called with why a connection could not be opened. */
  learn(error: unknown): void {
    if (sqlStateOf(error) !== '08P01' || !(error instanceof Error)) return;
    this.#areRefused ||= names.some(name => error.message === `unsupported startup parameter: ${name}`);
  }

  /** Runs `work`, and once more when it failed because connections were still opened with the limits. */
  async reach<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#areRefused;
    try {
      return await work();
    } catch (error) {
      if (before === this.#areRefused) throw error;
      return work();
    }
  }
}

function inMs(value: unknown): number {
  const ms = Number.parseInt(String(value), 10);
  return Number.isNaN(ms) ? 0 : ms;
}
