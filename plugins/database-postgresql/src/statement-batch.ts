import {
  type BatchOutcome,
  dependsOnTypes,
  isStalePlan,
  markOutdated,
  needsExtendedProtocol,
  type Row,
  type Statement,
  type StatementResult,
} from '@keelson/database';
import pg, { type Connection, type CustomTypesConfig, type FieldDef, type Submittable } from 'pg';
import { FrontendMessages } from './frontend-messages.js';
import { parameterText } from './pg-internals.js';
import type { Prepared, PreparedStatements } from './prepared-statements.js';
import { RowShape } from './row-shape.js';
import { settleWhenReady } from './settle-when-ready.js';

/** What of the protocol's messages is read here. */
interface ParameterDescription {
  readonly dataTypeIDs: readonly number[];
}
interface RowDescription {
  readonly fields: FieldDef[];
}
interface DataRow {
  readonly fields: (string | null)[];
}
interface CommandComplete {
  readonly text: string;
}

export interface BatchParts {
  readonly types: CustomTypesConfig;
  /** Those of the connection. Left out: none is prepared. */
  readonly prepared?: PreparedStatements;
  readonly settle: (outcome: BatchOutcome) => void;
}

/**
 * Several statements in one round trip, as one query to pg: as one simple query where that will do, or as one extended
 * batch that ends in a single Sync. Either way the server runs none after the first that fails, so a
 * statement that rides with BEGIN can never run outside of the transaction (PostgreSQL manual, 54.2.2.1 and 54.2.3).
 */
export class StatementBatch implements Submittable {
  readonly #statements: readonly Statement[];
  readonly #values: readonly (Buffer | string | null)[][];
  readonly #parts: BatchParts;
  readonly #results: StatementResult[] = [];
  /** Each statement that has a name, or is getting one. */
  #prepared: readonly (Prepared | undefined)[] = [];
  /** Those that the server parses in this batch. */
  readonly #parsing = new Set<Prepared>();
  #shape: RowShape | undefined;
  #rows: Row[] = [];
  #isExtended = false;
  #parseFailure: { readonly error: unknown } | undefined;

  /** @throws what a value throws that cannot be written: nothing of the batch has been sent by then. */
  constructor(statements: readonly Statement[], parts: BatchParts) {
    this.#statements = statements;
    this.#values = statements.map(({ parameters }) => parameters?.map(parameterText) ?? none);
    this.#parts = parts;
  }

  submit(connection: Connection): void {
    const recur = this.#parts.prepared !== undefined && this.#statements.every(({ recurs }) => recurs === true);
    this.#isExtended = recur || needsExtendedProtocol(this.#statements);
    if (this.#isExtended) this.#sendExtended(connection);
    else connection.query(this.#statements.map(({ sql }) => sql).join('\n;'));
  }

  handleRowDescription({ fields }: RowDescription): void {
    this.#shape = new RowShape(fields, this.#parts.types);
    const prepared = this.#prepared[this.#results.length];
    if (prepared !== undefined) prepared.shape = this.#shape;
  }

  handleDataRow({ fields }: DataRow): void {
    if (this.#parseFailure !== undefined) return;
    const shape = this.#prepared[this.#results.length]?.shape ?? this.#shape;
    try {
      if (shape !== undefined) this.#rows.push(shape.rowOf(fields));
    } catch (error) {
      this.#parseFailure = { error };
    }
  }

  handleCommandComplete({ text }: CommandComplete): void {
    const prepared = this.#prepared[this.#results.length];
    // Without a row in sight it has been described all the same: as one that returns none.
    if (prepared !== undefined) prepared.shape ??= noRows;
    const result = resultOf(text, this.#rows);
    // The types of its columns may be others now.
    if (result.command === 'ALTER') this.#parts.prepared?.becameStale();
    if (result.command === 'DEALLOCATE') this.#parts.prepared?.wereRemoved();
    this.#results.push(result);
    this.#rows = [];
    this.#shape = undefined;
  }

  handleEmptyQuery(): void {
    this.#results.push({ rows: [], command: '', rowCount: undefined });
  }

  handlePortalSuspended(): void {}

  handleReadyForQuery(connection: Connection): void {
    connection.off('parameterDescription', this.#onParameters);
    this.#parts.settle(
      this.#parseFailure === undefined
        ? { results: this.#results }
        : { results: this.#results, failure: this.#parseFailure },
    );
  }

  handleError(error: unknown, connection: Connection): void {
    connection.off('parameterDescription', this.#onParameters);
    this.#forgetOutdated(error);
    this.#forgetUnparsed(error);
    settleWhenReady(error, connection, () => this.#parts.settle({ results: this.#results, failure: { error } }));
  }

  /**
   * While it waits for rows, the server overlooks the Sync of an extended batch, and takes every other message for a mistake.
   * So a Sync that comes right behind COPY is sent again, and one behind further statements is not.
   */
  handleCopyInResponse(connection: Connection): void {
    connection.stream.write(copyFail);
    const isLast = this.#results.length === this.#statements.length - 1;
    if (this.#isExtended && isLast) connection.stream.write(new FrontendMessages().sync());
  }

  handleCopyData(): void {}

  /** pg hands on no ParameterDescription. */
  #sendExtended(connection: Connection): void {
    const messages = this.#extended();
    if (this.#parsing.size > 0) connection.on('parameterDescription', this.#onParameters);
    connection.stream.write(messages);
  }

  /** The types that the server has found for the parameters of a statement that it has just parsed. */
  readonly #onParameters = ({ dataTypeIDs }: ParameterDescription) => {
    const at = this.#results.length;
    const used = this.#prepared[at];
    if (used !== undefined) this.#parts.prepared?.described(used, dataTypeIDs, this.#statements[at]?.types ?? []);
  };

  #extended(): Buffer {
    const messages = new FrontendMessages();
    const { prepared } = this.#parts;
    for (const name of prepared?.takeClosing() ?? []) messages.close(name);
    this.#prepared = this.#statements.map((statement, index) => {
      const used = prepared?.use(statement);
      this.#write(messages, statement, this.#values[index] ?? none, used);
      return used;
    });
    return messages.sync();
  }

  #write(
    messages: FrontendMessages,
    { sql, types = [] }: Statement,
    values: readonly (Buffer | string | null)[],
    used: Prepared | undefined,
  ): void {
    if (used === undefined) messages.parse('', sql, types);
    else if (used.name === '') this.#parse(messages, used, sql, types);
    messages.bind(used?.name ?? '', values);
    if (used === undefined) messages.describe();
    messages.execute();
  }

  #parse(messages: FrontendMessages, used: Prepared, sql: string, types: readonly number[]): void {
    const name = this.#parts.prepared?.name(used) ?? '';
    this.#parsing.add(used);
    messages.parse(name, this.#parts.prepared?.text(sql) ?? sql, types);
    messages.describeStatement(name);
  }

  /** The one that failed, where the server might not refuse it if it parsed it now. */
  #forgetOutdated(error: unknown): void {
    const used = this.#prepared[this.#results.length];
    if (used === undefined || used.name === '' || this.#parsing.has(used)) return;
    if (!(error instanceof pg.DatabaseError) || !dependsOnTypes(error)) return;
    this.#parts.prepared?.becameOutdated(used);
    markOutdated(error);
  }

  /** Those of the batch that the server may not have parsed, and all when the server has said that they are stale. */
  #forgetUnparsed(error: unknown): void {
    const { prepared } = this.#parts;
    for (const used of this.#prepared.slice(this.#results.length)) {
      if (used !== undefined && this.#parsing.has(used)) prepared?.unname(used);
    }
    if (isStalePlan(error)) prepared?.becameStale();
  }
}

const none: (Buffer | string | null)[] = [];
const noRows = new RowShape([], pg.types);

/** `INSERT 0 5`, `SELECT 5`, `CREATE TABLE`: the command by its first word, and the rows it touched. */
function resultOf(tag: string, rows: Row[]): StatementResult {
  const [command = '', ...numbers] = tag.split(' ');
  const count = Number(numbers.at(-1) ?? Number.NaN);
  return { rows, command, rowCount: Number.isNaN(count) ? undefined : count };
}

const copyFailReason = 'COPY is not part of a batch';
const copyFail = Buffer.concat([
  Buffer.from('f'),
  Buffer.from([0, 0, 0, 4 + copyFailReason.length + 1]),
  Buffer.from(`${copyFailReason}\0`),
]);
