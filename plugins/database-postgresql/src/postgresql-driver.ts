import type { Deadline } from '@keelson/core';
import type {
  AcquireOptions,
  DatabaseCapability,
  DatabaseDriver,
  DriverConnection,
  DriverContext,
  PoolStats,
  TransactionOutcome,
} from '@keelson/database';
import { createPostgreSqlTypeParsers } from '@mikro-orm/sql';
import pg from 'pg';
import array from 'postgres-array';
import { cancelStatement } from './cancel.js';
import { ConnectionPool } from './connection-pool.js';
import { ControlConnection } from './control-connection.js';
import type { PostgresqlOptions } from './options.js';

/** DatabaseDriver on PostgreSQL, through pg. */
export class PostgresqlDriver implements DatabaseDriver {
  readonly name = 'postgresql';
  readonly capabilities: ReadonlySet<DatabaseCapability> = new Set([
    'cancel-query',
    'multi-connection',
    'commit-resolution',
    'copy',
    'stream',
  ]);
  /**
   * The id, and a mark that changes with every crash of the server: after a crash the id of a transaction that was lost
   * may be given again. The statistics of a server start anew after a crash, and only then or by hand.
   */
  readonly transactionIdProbe = {
    sql: `select pg_current_xact_id_if_assigned()::text || '@' || ${crashMark} as id`,
  };
  readonly databaseName: string;
  readonly #pool: ConnectionPool;
  readonly #control: ControlConnection;
  readonly #lostListeners: ((cause: unknown) => void)[] = [];

  constructor(options: PostgresqlOptions, { clock, logger }: DriverContext) {
    const types = typeParsers();
    const client = clientConfig(options);
    this.databaseName = new pg.Client(client).database ?? '';
    this.#control = new ControlConnection({ ...client, application_name: `${options.applicationName} control` }, types);
    this.#pool = new ConnectionPool({
      client,
      options: options.pool,
      types,
      clock,
      logger,
      cancel: lent => cancelStatement(client, lent),
      onLost: cause => {
        for (const listener of this.#lostListeners) listener(cause);
      },
    });
  }

  async connect(signal: AbortSignal): Promise<void> {
    await this.ping(signal);
    this.#pool.warm();
  }

  acquire(options: AcquireOptions): Promise<DriverConnection> {
    return this.#pool.acquire(options);
  }

  async ping(signal: AbortSignal): Promise<void> {
    await this.#control.ask([{ sql: 'select 1' }], signal);
  }

  async transactionOutcome(transactionId: string, signal: AbortSignal): Promise<TransactionOutcome> {
    const [id = '', mark = ''] = transactionId.split('@');
    const sql = `select pg_xact_status('${BigInt(id)}'::xid8) as status, ${crashMark} as mark`;
    const results = await this.#control.ask([{ sql }], signal);
    const row = results[0]?.rows[0];
    return outcomeOf(row?.status, row?.mark === mark);
  }

  stats(): PoolStats {
    return this.#pool.stats();
  }

  suspend(): void {
    this.#pool.suspend();
  }

  resume(): void {
    this.#pool.resume();
  }

  renew(): void {
    void this.#pool.renew();
  }

  async close(deadline: Deadline): Promise<void> {
    await this.#pool.close(deadline);
    this.#control.close();
  }

  onLost(listener: (cause: unknown) => void): void {
    this.#lostListeners.push(listener);
  }
}

const crashMark = `coalesce(extract(epoch from pg_stat_get_bgwriter_stat_reset_time()), 0)::text`;

/** Ours cannot be stored when the id belongs to nobody's commit; a commit after a crash may be somebody else's. */
function outcomeOf(status: unknown, sameRun: boolean): TransactionOutcome {
  if (status === 'aborted') return 'aborted';
  if (status === 'in progress') return sameRun ? 'in progress' : 'aborted';
  return status === 'committed' && sameRun ? 'committed' : 'unknown';
}

function clientConfig(options: PostgresqlOptions): pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: options.keepAliveMs,
    types: typeParsers(),
  };
}

/** The types as MikroORM expects them: dates and numbers as text where it converts them itself. */
function typeParsers(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides();
  for (const [oid, parser] of Object.entries(createPostgreSqlTypeParsers(text => array.parse(text)))) {
    types.setTypeParser(Number(oid), parser);
  }
  return types;
}
