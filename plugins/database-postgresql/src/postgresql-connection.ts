import {
  type BatchOutcome,
  type ConnectionStatus,
  type DriverConnection,
  FormatChangedError,
  hasDefined,
  hasLeftState,
  isStalePlan,
  type LastingNames,
  mayBeOutdated,
  type Row,
  type Statement,
  severityOf,
  sqlStateOf,
} from '@keelson/database';
import type { CustomTypesConfig } from 'pg';
import { copyRows } from './copy.js';
import type { PgClient } from './pg-internals.js';
import type { PreparedStatements } from './prepared-statements.js';
import {
  hasOtherParameters,
  isReadOnlyServer,
  isStandby,
  isWritableServer,
  unreadableSetting,
} from './reported-parameters.js';
import { RowPortal } from './row-portal.js';
import type { InFlight, SilenceWatch } from './silence-watch.js';
import { StatementBatch } from './statement-batch.js';

/** What the pool does with a connection that its borrower is done with. */
export interface Returned {
  /** `altered`: it may not be as it was when fresh. */
  giveBack(altered: boolean): void;
  throwAway(reason: unknown): void;
}

const statuses: Readonly<Record<string, ConnectionStatus>> = {
  I: 'idle',
  T: 'in transaction',
  E: 'failed transaction',
};

/** Makes the transaction read-only, as the work has asked. */
const makesReadOnly = /^\s*set\s+(?:local\s+)?transaction(?:_read_only\b|\b[^;]*\bread\s+only\b)/i;

/** A client of pg on loan. */
export class PostgresqlConnection implements DriverConnection {
  readonly #client: PgClient;
  readonly #types: CustomTypesConfig;
  readonly #names: LastingNames;
  readonly #prepared: PreparedStatements | undefined;
  readonly #cancel: (client: PgClient, signal: AbortSignal) => Promise<void>;
  readonly #onRefusal: (error: unknown) => void;
  readonly #isRoleReadOnly: boolean;
  readonly #believesReports: boolean;
  readonly #watch: SilenceWatch | undefined;
  #returned: Returned | undefined;
  #lost = false;
  /** Batches that the server has not answered: until it has, the state of the connection is unknown. */
  #unanswered = 0;
  #inFlight: InFlight | undefined;
  #lossCause: unknown;
  #isAltered = false;
  #hasDefined = false;
  #isMadeReadOnly = false;

  constructor(
    client: PgClient,
    parts: {
      types: CustomTypesConfig;
      /** What of the database may leave a state on the connection. */
      names: LastingNames;
      /** What the server keeps parsed on this connection. Left out: none is prepared. */
      prepared?: PreparedStatements;
      cancel: (client: PgClient, signal: AbortSignal) => Promise<void>;
      /**
       * Whether settings that the server reports by itself are trusted: false behind a pooler, which may repeat the report
       * of another server. Default false.
       */
      believesReports?: boolean;
      /** The settings of the role say that its sessions are read-only. Default false. */
      isRoleReadOnly?: boolean;
      /** Called with each error by which the server refused a statement; not for a write in a session that is read-only by choice. */
      onRefusal: (error: unknown) => void;
      watch: SilenceWatch | undefined;
      returned: Returned;
    },
  ) {
    this.#client = client;
    this.#types = parts.types;
    this.#names = parts.names;
    this.#prepared = parts.prepared;
    this.#cancel = parts.cancel;
    this.#onRefusal = parts.onRefusal;
    this.#isRoleReadOnly = parts.isRoleReadOnly ?? false;
    this.#believesReports = parts.believesReports ?? false;
    this.#watch = parts.watch;
    this.#returned = parts.returned;
    client.once('end', this.#onEnd);
    client.on('error', this.#onError);
  }

  get status(): ConnectionStatus {
    if (this.#lost || this.#returned === undefined) return 'lost';
    return statuses[this.#client.getTransactionStatus() ?? ''] ?? 'lost';
  }

  get processId(): number | undefined {
    return this.#client.processID ?? undefined;
  }

  /** A batch that begins a transaction and meets a stale plan is sent again: nothing of it is there. */
  async run(statements: readonly Statement[]): Promise<BatchOutcome> {
    const begins = this.#unanswered === 0 && this.status === 'idle';
    const outcome = await this.#send(statements);
    const error = outcome.failure?.error;
    return begins && (isStalePlan(error) || mayBeOutdated(error)) ? this.#sendAgain(statements, outcome) : outcome;
  }

  async #sendAgain(statements: readonly Statement[], stale: BatchOutcome): Promise<BatchOutcome> {
    if (this.status === 'failed transaction') await this.#send([{ sql: 'rollback' }]);
    return this.status === 'idle' ? this.#send(statements) : stale;
  }

  async #send(statements: readonly Statement[]): Promise<BatchOutcome> {
    if (this.#returned === undefined) return gone;
    const { promise, resolve } = Promise.withResolvers<BatchOutcome>();
    const prepared = this.#prepared;
    const settle = (outcome: BatchOutcome) => {
      this.#answered();
      this.#noteEffects(statements, outcome.results);
      if (outcome.failure !== undefined) this.#noteRefusal(outcome.failure.error);
      resolve(this.#withTrueCause(this.#withReadableValues(outcome)));
    };
    prepared?.follow(statements, this.#unanswered === 0 && this.status === 'idle');
    const batch = new StatementBatch(statements, { types: this.#types, settle, ...(prepared && { prepared }) });
    this.#isAltered ||= statements.some(({ sql }) => this.#names.leavesState(sql));
    this.#isMadeReadOnly ||= statements.some(({ sql }) => makesReadOnly.test(sql));
    this.#asked();
    this.#client.query(batch);
    return promise;
  }

  async *stream(statement: Statement, chunkSize: number): AsyncIterable<Row[]> {
    this.#isAltered ||= this.#names.leavesState(statement.sql);
    const portal = new RowPortal(this.#client, statement, this.#types);
    try {
      const read = () => this.#watched(() => portal.read(chunkSize));
      for (let rows = await read(); rows.length > 0; rows = await read()) yield rows;
    } catch (error) {
      throw this.status === 'lost' ? (this.#lossCause ?? error) : error;
    } finally {
      if (this.status !== 'lost') await this.#watched(() => portal.close()).catch(() => {});
    }
  }

  async copy(sql: string, lines: AsyncIterable<string>): Promise<number> {
    this.#isAltered ||= this.#names.leavesState(sql);
    const writtenBefore = this.#client.connection.stream.bytesWritten;
    try {
      return await copyRows(this.#client, sql, lines, answer => this.#watched(() => answer, writtenBefore));
    } catch (error) {
      this.#onRefusal(error);
      throw error;
    }
  }

  cancel(signal: AbortSignal): Promise<void> {
    return this.#cancel(this.#client, signal);
  }

  release(): void {
    const returned = this.#leave();
    if (returned === undefined) return;
    const isIdle = this.#unanswered === 0 && this.#client.getTransactionStatus() === 'I';
    if (!this.#lost && isIdle) returned.giveBack(this.#isAltered || hasOtherParameters(this.#client));
    else returned.throwAway(new Error('released inside a transaction, or lost'));
  }

  destroy(reason: unknown): void {
    this.#leave()?.throwAway(reason);
  }

  /** What the server is waited for, until it has answered. */
  async #watched<T>(ask: () => Promise<T>, writtenBefore?: number): Promise<T> {
    const inFlight = this.#watch?.begin(this.#client, writtenBefore);
    try {
      return await ask();
    } finally {
      if (inFlight !== undefined) this.#watch?.end(inFlight);
    }
  }

  #asked(): void {
    this.#unanswered += 1;
    this.#inFlight ??= this.#watch?.begin(this.#client);
  }

  #answered(): void {
    this.#unanswered -= 1;
    if (this.#unanswered > 0 || this.#inFlight === undefined) return;
    this.#watch?.end(this.#inFlight);
    this.#inFlight = undefined;
  }

  /** What comes next would be read, or stored, as something else. */
  #withReadableValues(outcome: BatchOutcome): BatchOutcome {
    const setting = outcome.failure === undefined ? unreadableSetting(this.#client) : undefined;
    return setting === undefined ? outcome : { ...outcome, failure: { error: new FormatChangedError({ setting }) } };
  }

  #noteEffects(statements: readonly Statement[], results: BatchOutcome['results']): void {
    this.#isAltered ||= hasLeftState(statements, results);
    this.#hasDefined ||= hasDefined(statements, results);
  }

  /** Marks a refused write with who has refused it: the server does so to everybody, or this session is read-only by choice. */
  #noteRefusal(error: unknown): void {
    const isRefused = error instanceof Error && sqlStateOf(error) === '25006';
    const readOnlyBy = isRefused ? this.#readOnlyBy() : undefined;
    if (isRefused && readOnlyBy !== undefined) Object.assign(error, { readOnlyBy });
    if (readOnlyBy !== 'session') this.#onRefusal(error);
  }

  #readOnlyBy(): 'server' | 'session' | undefined {
    if (this.#isMadeReadOnly) return 'session';
    if (this.#isAltered) return undefined;
    if (!isReadOnlyServer(this.#client))
      return this.#believesReports && isWritableServer(this.#client) ? 'session' : undefined;
    return this.#isRoleReadOnly && !isStandby(this.#client) ? 'session' : 'server';
  }

  readonly #onEnd = () => {
    this.#lost = true;
  };

  /** What the server said when it ended the connection between two statements: `25P03`, `57P01`. */
  readonly #onError = (error: unknown) => {
    this.#lost = true;
    this.#lossCause ??= error;
  };

  #leave(): Returned | undefined {
    const returned = this.#returned;
    this.#returned = undefined;
    // Not before its transaction is over: until then, others see what was there.
    if (this.#hasDefined) this.#names.outdate();
    this.#client.off('end', this.#onEnd);
    this.#client.off('error', this.#onError);
    return returned;
  }

  /** A lost connection answers later statements with errors that no longer say why. */
  #withTrueCause(outcome: BatchOutcome): BatchOutcome {
    if (outcome.failure === undefined || severityOf(outcome.failure.error) === 'ERROR') return outcome;
    this.#lost = true;
    return { ...outcome, failure: { error: this.#lossCause ?? outcome.failure.error } };
  }
}

const gone: BatchOutcome = { results: [], failure: { error: new Error('Connection terminated') } };
