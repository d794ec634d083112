import { type BatchOutcome, needsExtendedProtocol, type Statement, type StatementResult } from '@keelson/database';
import pg, { type Connection, type FieldDef, type Submittable } from 'pg';
import { newResultParser, parameterText, type ResultParser } from './pg-internals.js';

/** What of the protocol's messages is read here. */
interface RowDescription {
  readonly fields: FieldDef[];
}
interface DataRow {
  readonly fields: (string | null)[];
}
interface CommandComplete {
  readonly text: string;
}

/**
 * Several statements in one round trip, as one query to pg: as one simple query where that will do, or as one extended
 * batch that ends in a single Sync. Either way the server runs none after the first that fails, so a
 * statement that rides with BEGIN can never run outside of the transaction (PostgreSQL manual, 54.2.2.1 and 54.2.3).
 */
export class StatementBatch implements Submittable {
  readonly #statements: readonly Statement[];
  readonly #values: readonly (Buffer | string | null)[][];
  readonly #types: unknown;
  readonly #results: StatementResult[] = [];
  readonly #settle: (outcome: BatchOutcome) => void;
  #parser: ResultParser;
  #parseFailure: { readonly error: unknown } | undefined;

  /** @throws what a value throws that cannot be written: nothing of the batch has been sent by then. */
  constructor(statements: readonly Statement[], types: unknown, settle: (outcome: BatchOutcome) => void) {
    this.#statements = statements;
    this.#values = statements.map(({ parameters = [] }) => parameters.map(parameterText));
    this.#types = types;
    this.#settle = settle;
    this.#parser = newResultParser(this.#types);
  }

  submit(connection: Connection): void {
    if (needsExtendedProtocol(this.#statements)) this.#submitExtended(connection);
    else connection.query(this.#statements.map(({ sql }) => sql).join('\n;'));
  }

  handleRowDescription(message: RowDescription): void {
    this.#parser.addFields(message.fields);
  }

  handleDataRow(message: DataRow): void {
    if (this.#parseFailure !== undefined) return;
    try {
      this.#parser.rows.push(this.#parser.parseRow(message.fields));
    } catch (error) {
      this.#parseFailure = { error };
    }
  }

  handleCommandComplete(message: CommandComplete): void {
    this.#parser.addCommandComplete(message);
    const { rows, command, rowCount } = this.#parser;
    this.#results.push({ rows, command: command ?? '', rowCount: rowCount ?? undefined });
    this.#parser = newResultParser(this.#types);
  }

  handleEmptyQuery(): void {
    this.#results.push({ rows: [], command: '', rowCount: undefined });
  }

  handlePortalSuspended(): void {}

  handleReadyForQuery(): void {
    this.#settle(
      this.#parseFailure === undefined
        ? { results: this.#results }
        : { results: this.#results, failure: this.#parseFailure },
    );
  }

  /** pg forgets a query at its error, but the connection's status is only known at the ReadyForQuery that follows. */
  handleError(error: unknown, connection: Connection): void {
    if (!(error instanceof pg.DatabaseError) || endings.has(error.severity ?? '')) {
      this.#settle({ results: this.#results, failure: { error } });
      return;
    }
    const settle = (severity: string) => {
      connection.off('readyForQuery', answered);
      connection.off('end', ended);
      // In the language of the server (lc_messages); what came next says the same to everybody.
      error.severity = severity;
      this.#settle({ results: this.#results, failure: { error } });
    };
    const answered = () => settle('ERROR');
    const ended = () => settle('FATAL');
    connection.once('readyForQuery', answered);
    connection.once('end', ended);
  }

  handleCopyInResponse(connection: Connection): void {
    connection.stream.write(copyFail);
  }

  handleCopyData(): void {}

  #submitExtended(connection: Connection): void {
    connection.stream.cork();
    try {
      for (const [index, { sql }] of this.#statements.entries()) {
        connection.parse({ text: sql, name: '', types: [] }, true);
        connection.bind({ values: this.#values[index] ?? [] }, true);
        connection.describe({ type: 'P', name: '' }, true);
        connection.execute({ portal: '' }, true);
      }
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
  }
}

const copyFailReason = 'COPY is not part of a batch';
const copyFail = Buffer.concat([
  Buffer.from('f'),
  Buffer.from([0, 0, 0, 4 + copyFailReason.length + 1]),
  Buffer.from(`${copyFailReason}\0`),
]);

/** After these nothing comes any more. */
const endings = new Set(['FATAL', 'PANIC']);
