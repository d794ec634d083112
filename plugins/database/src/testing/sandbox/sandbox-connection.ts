import type {
  BatchOutcome,
  ConnectionStatus,
  DriverConnection,
  Row,
  Statement,
  StatementResult,
} from '../../driver/driver.js';
import { transactionCommandIn } from '../../transaction/transaction-commands.js';

const name = 'keelson_sandbox';
const begin: readonly Statement[] = [{ sql: `savepoint ${name}`, readAlone: true }];
const beginReadOnly: readonly Statement[] = [
  ...begin,
  { sql: 'set local transaction_read_only = on', readAlone: true },
];
/** What a real COMMIT does of itself: the next session finds the constraints as they were made. */
const deferAgain = `do $$
declare deferred text;
begin
  select string_agg(format('%I.%I', nspname, conname), ', ') into deferred
    from pg_catalog.pg_constraint join pg_catalog.pg_namespace as schema on schema.oid = connamespace
    where condeferred and not pg_catalog.pg_is_other_temp_schema(connamespace);
  if deferred is not null then execute 'set constraints ' || deferred || ' deferred'; end if;
end $$`;
const keep: readonly Statement[] = [
  { sql: 'set constraints all immediate' },
  { sql: deferAgain },
  { sql: `release savepoint ${name}` },
];
const undo: readonly Statement[] = [{ sql: `rollback to savepoint ${name}` }, { sql: `release savepoint ${name}` }];

/** What is sent for a statement, and what its answer is called; without `tag`, the answer is that of the statement. */
interface Sent {
  readonly statements: readonly Statement[];
  readonly tag?: string;
  readonly status?: ConnectionStatus;
}

/** The connection of a sandbox, lent to one session: its transaction is a savepoint. */
export class SandboxConnection implements DriverConnection {
  readonly #connection: DriverConnection;
  readonly #onReturned: () => void;
  #status: ConnectionStatus = 'idle';
  #isReadOnly = false;
  #lent = true;

  constructor(connection: DriverConnection, onReturned: () => void) {
    this.#connection = connection;
    this.#onReturned = onReturned;
  }

  get status(): ConnectionStatus {
    return this.#lent && this.#connection.status !== 'lost' ? this.#status : 'lost';
  }

  get processId(): number | undefined {
    return this.#connection.processId;
  }

  async run(statements: readonly Statement[]): Promise<BatchOutcome> {
    if (!this.#lent) return { results: [], failure: { error: new Error('Connection terminated') } };
    if (this.#status !== 'idle' || statements.some(beginsTransaction)) return this.#run(statements);
    // Outside of a transaction, the server takes back a batch that fails.
    const alone = [{ sql: 'begin' }, ...statements, { sql: 'commit' }];
    const { results, failure } = await this.#run(alone);
    if (failure === undefined) return { results: results.slice(1, -1) };
    await this.#undo();
    return { results: results.slice(1), failure };
  }

  async *stream(statement: Statement, chunkSize: number): AsyncIterable<Row[]> {
    const isAlone = this.#status === 'idle';
    if (isAlone) await this.#run([{ sql: 'begin' }]);
    try {
      yield* this.#connection.stream(statement, chunkSize);
    } catch (error) {
      this.#status = 'failed transaction';
      throw error;
    } finally {
      if (isAlone) await this.#undo();
    }
  }

  async copy(sql: string, lines: AsyncIterable<string>): Promise<number> {
    try {
      return await this.#connection.copy(sql, lines);
    } catch (error) {
      this.#status = 'failed transaction';
      throw error;
    }
  }

  cancel(signal: AbortSignal): Promise<void> {
    return this.#connection.cancel(signal);
  }

  release(): void {
    this.destroy();
  }

  /** The connection stays open: the rest of the sandbox needs it. */
  destroy(): void {
    if (!this.#lent) return;
    const end = this.#status === 'idle' ? Promise.resolve() : this.#undo();
    this.#lent = false;
    void end.finally(this.#onReturned);
  }

  async #run(statements: readonly Statement[]): Promise<BatchOutcome> {
    const parts = statements.map(statement => this.#sentFor(statement));
    const { results, failure } = await this.#connection.run(parts.flatMap(part => part.statements));
    const answered: StatementResult[] = [];
    let at = 0;
    for (const { statements: sent, tag, status = this.#status } of parts) {
      const own = results.slice(at, at + sent.length);
      const [result] = own;
      if (own.length < sent.length || result === undefined) break;
      at += sent.length;
      this.#status = status;
      answered.push(tag === undefined ? result : { rows: [], command: tag, rowCount: undefined });
    }
    if (failure === undefined) return { results: answered };
    const failed = parts[answered.length];
    if (failed?.tag === 'COMMIT') await this.#undo();
    else if (this.#status === 'in transaction') this.#status = 'failed transaction';
    return { results: answered, failure };
  }

  #sentFor(statement: Statement): Sent {
    switch (transactionCommandIn(statement.sql)) {
      case 'BEGIN':
      case 'START TRANSACTION':
        this.#isReadOnly = /\bread\s+only\b/i.test(statement.sql);
        return { statements: this.#isReadOnly ? beginReadOnly : begin, tag: 'BEGIN', status: 'in transaction' };
      case 'COMMIT':
      case 'END':
        if (this.#status === 'failed transaction') return { statements: undo, tag: 'ROLLBACK', status: 'idle' };
        // A setting outlives its savepoint, unless that is taken back. Nothing is lost with one that was read-only.
        return { statements: this.#isReadOnly ? undo : keep, tag: 'COMMIT', status: 'idle' };
      case 'ROLLBACK':
      case 'ABORT':
        return { statements: undo, tag: 'ROLLBACK', status: 'idle' };
      case 'ROLLBACK TO':
        return { statements: [statement], status: 'in transaction' };
      default:
        return { statements: [statement] };
    }
  }

  async #undo(): Promise<void> {
    await this.#connection.run(undo);
    this.#status = 'idle';
  }
}

function beginsTransaction({ sql }: Statement): boolean {
  const command = transactionCommandIn(sql);
  return command === 'BEGIN' || command === 'START TRANSACTION';
}
