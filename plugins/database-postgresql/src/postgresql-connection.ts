import type { BatchOutcome, ConnectionStatus, DriverConnection, Row, Statement } from '@keelson/database';
import Cursor from 'pg-cursor';
import { copyRows } from './copy.js';
import type { PgClient } from './pg-internals.js';
import { StatementBatch } from './statement-batch.js';

/** What the pool does with a connection that its borrower is done with. */
export interface Returned {
  giveBack(): void;
  throwAway(reason: unknown): void;
}

const statuses: Readonly<Record<string, ConnectionStatus>> = {
  I: 'idle',
  T: 'in transaction',
  E: 'failed transaction',
};

/** A client of pg on loan. */
export class PostgresqlConnection implements DriverConnection {
  readonly #client: PgClient;
  readonly #types: unknown;
  readonly #cancel: (client: PgClient) => Promise<void>;
  #returned: Returned | undefined;
  #lost = false;

  constructor(
    client: PgClient,
    parts: { types: unknown; cancel: (client: PgClient) => Promise<void>; returned: Returned },
  ) {
    this.#client = client;
    this.#types = parts.types;
    this.#cancel = parts.cancel;
    this.#returned = parts.returned;
    client.once('end', this.#onEnd);
  }

  get status(): ConnectionStatus {
    if (this.#lost || this.#returned === undefined) return 'lost';
    return statuses[this.#client.getTransactionStatus() ?? ''] ?? 'lost';
  }

  run(statements: readonly Statement[]): Promise<BatchOutcome> {
    if (this.#returned === undefined) return Promise.resolve(gone);
    return new Promise(resolve => {
      this.#client.query(
        new StatementBatch(statements, this.#types, outcome => {
          if (outcome.failure !== undefined) this.#noteLoss(outcome.failure.error);
          resolve(outcome);
        }),
      );
    });
  }

  async *stream(statement: Statement, chunkSize: number): AsyncIterable<Row[]> {
    const cursor = this.#client.query(new Cursor(statement.sql, [...(statement.parameters ?? [])]));
    try {
      for (let rows = await cursor.read(chunkSize); rows.length > 0; rows = await cursor.read(chunkSize)) yield rows;
    } finally {
      await cursor.close();
    }
  }

  copy(sql: string, lines: AsyncIterable<string>): Promise<number> {
    return copyRows(this.#client, sql, lines);
  }

  cancel(): Promise<void> {
    return this.#cancel(this.#client);
  }

  release(): void {
    const returned = this.#leave();
    if (returned === undefined) return;
    if (!this.#lost && this.#client.getTransactionStatus() === 'I') returned.giveBack();
    else returned.throwAway(new Error('released inside a transaction, or lost'));
  }

  destroy(reason: unknown): void {
    this.#leave()?.throwAway(reason);
  }

  readonly #onEnd = () => {
    this.#lost = true;
  };

  #leave(): Returned | undefined {
    const returned = this.#returned;
    this.#returned = undefined;
    this.#client.off('end', this.#onEnd);
    return returned;
  }

  #noteLoss(error: unknown): void {
    const severity = typeof error === 'object' && error !== null ? Reflect.get(error, 'severity') : undefined;
    if (severity !== 'ERROR') this.#lost = true;
  }
}

const gone: BatchOutcome = { results: [], failure: { error: new Error('Connection terminated') } };
