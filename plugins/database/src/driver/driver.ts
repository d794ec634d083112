import type { Deadline } from '@keelson/core';
import type { DatabaseCapability, Engine } from './engine.js';
import type { PermitCounters } from './permits.js';

export interface Statement {
  readonly sql: string;
  readonly parameters?: readonly unknown[];
  /** Types of the parameters, as OIDs. 0, or left out: the server infers it. */
  readonly types?: readonly number[];
  /** The same text comes again and again: a prepared statement pays. */
  readonly recurs?: boolean;
  /**
   * The server must run this statement even when a later one of its batch has a syntax error. If both were sent in one
   * text, the server would refuse the whole text and run nothing.
   */
  readonly readAlone?: boolean;
  /** The text must be one command: the server is to refuse several, with 42601. */
  readonly isOne?: boolean;
}

export type Row = Record<string, unknown>;

export interface StatementResult {
  readonly rows: Row[];
  /** The command tag without its numbers: `INSERT`, `COMMIT`, `ROLLBACK`. */
  readonly command: string;
  /** Rows touched or returned; undefined for a command that has none. */
  readonly rowCount: number | undefined;
}

/** The outcome of one batch: the results of the statements that completed, then the error of the one that failed. */
export interface BatchOutcome {
  readonly results: readonly StatementResult[];
  readonly failure?: { readonly error: unknown };
}

/** As the server last said; `lost` when it can no longer say anything. */
export type ConnectionStatus = 'idle' | 'in transaction' | 'failed transaction' | 'lost';

/** One connection, lent. The borrower ends with exactly one `release` or `destroy`; later ones do nothing. */
export interface DriverConnection {
  readonly status: ConnectionStatus;
  /**
   * The id of the server's process, as it was given when the connection was opened. Differs from `pg_backend_pid()`
   * behind a pooler that lends the server's connections by transaction. Left out by one without a server.
   */
  readonly processId?: number | undefined;
  /**
   * Sends all statements together and waits once, for all of them: one round trip. The server stops at the first that
   * fails and runs none after it. A lost connection is a failure like any other. Rejects only when a parameter cannot be
   * converted to text for the server, with the error of the conversion: then nothing was sent.
   */
  run(statements: readonly Statement[]): Promise<BatchOutcome>;
  /** Rows of one statement, `chunkSize` at a time. Ending the iteration early ends the statement. */
  stream(statement: Statement, chunkSize: number): AsyncIterable<Row[]>;
  /** Loads rows in bulk (COPY ... FROM STDIN); `lines` are in the text format of COPY. Only with capability `copy`. */
  copy(sql: string, lines: AsyncIterable<string>): Promise<number>;
  /**
   * Asks the server, over another connection, to end the running statement. Resolves when the request was sent, or when
   * `signal` has aborted and the request is cleaned up. Changes nothing on this connection: `run` still settles by itself.
   * Only with capability `cancel`.
   */
  cancel(signal: AbortSignal): Promise<void>;
  /** Gives it back. One that is not `idle`, or is not as it was when fresh, is destroyed or mended before it is lent again. */
  release(): void;
  /** Closes the socket now, whatever runs on it. */
  destroy(reason: unknown): void;
}

export interface AcquireOptions {
  /** Waiting ends by then, or after the driver's own acquire timeout when that comes first. */
  readonly deadline: Deadline;
  readonly signal?: AbortSignal;
  /** Nothing will be written; a replica will do. */
  readonly readOnly: boolean;
  /** No replica answers, even with `readOnly`, so that the caller sees all that was committed before. Default false. */
  readonly fresh?: boolean;
  /** A replica answers only after it has reached this position, a result of `positionProbe`; the wait is bounded. */
  readonly after?: string;
  /** A replica answers only when it is known to be no further behind, in ms. */
  readonly maxLagMs?: number;
  /** How long the caller will keep the connection; it is reported as a leak only after that. Default: of the driver. */
  readonly lentForMs?: number;
}

export interface PoolStats {
  /** Connections open or being opened. */
  readonly total: number;
  readonly idle: number;
  readonly busy: number;
  /** Callers in the queue. */
  readonly waiting: number;
  readonly max: number;
  readonly counters: PoolCounters;
}

/** One server that a driver uses. Never a credential. */
export interface HostStats {
  /** `host:port`. When several hosts are configured for one role, the host that has the role now. */
  readonly host: string;
  readonly role: 'primary' | 'replica';
  /** `fit` takes work; `lagging` is a replica too far behind; `away` does not answer; `unknown` was not asked yet. */
  readonly state: 'unknown' | 'fit' | 'lagging' | 'away';
  /** How far a replica is behind, in ms, when it was last asked. */
  readonly lagMs?: number;
  readonly pool: PoolStats;
}

/** What has happened since the start; only ever grows. */
export interface PoolCounters extends PermitCounters {
  /** Connections opened. */
  readonly opened: number;
  /** Connections that were lent for longer than the driver finds usual. Left out by one that does not look. */
  readonly leaked?: number;
  /** Connections that the pool closed, by reason. */
  readonly discarded: Readonly<Partial<Record<DiscardReason, number>>>;
}

/**
 * Why the pool closed a connection.
 *
 * - `expired`: it was too old.
 * - `invalidated`: it was open when the server restarted or failed, or when `renew` was called.
 * - `unanswered`: it did not answer a ping.
 * - `lost`: it was lost, or its borrower left it inside a transaction.
 * - `altered`: a statement may have left state behind on it (`leavesState`, `LastingNames`).
 * - `read-only`: it leads to a read-only server, although the address has led to a writable server before.
 */
export type DiscardReason = 'expired' | 'invalidated' | 'unanswered' | 'lost' | 'altered' | 'read-only';

/** Longest times, in ms, of a transaction that says nothing else. */
export interface TransactionLimits {
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

export type TransactionOutcome = 'committed' | 'aborted' | 'in progress' | 'unknown';

/** A message of a channel, as the server sends it. */
export interface ChannelMessage {
  readonly channel: string;
  readonly payload: string;
}

export interface OpenListenerOptions {
  /** Ends the attempt to connect. */
  readonly signal: AbortSignal;
  readonly onMessage: (message: ChannelMessage) => void;
  /** Called when the connection was lost, or when its server is no longer the one that takes writes. */
  readonly onLost: (cause: unknown) => void;
}

/** A connection of its own for the messages of channels. A caller that gets a rejection from it closes it. */
export interface DriverListener {
  /** Resolves when the server has confirmed: each message of a transaction that commits from now on arrives. */
  listen(channels: readonly string[], signal: AbortSignal): Promise<void>;
  unlisten(channels: readonly string[], signal: AbortSignal): Promise<void>;
  /** One round trip. Rejects when `signal` aborts before the answer, and when the server takes no writes any more. */
  prove(signal: AbortSignal): Promise<void>;
  /** Closes the socket now. Nothing is reported any more. */
  close(): void;
}

/** What a database plugin brings: connections, and answers about the server. Sessions and retries are not its business. */
export interface DatabaseDriver {
  /** `postgresql`, `pglite`. */
  readonly name: string;
  /** The name of the database on its server. */
  readonly databaseName: string;
  /** Where connections go, in the order in which they are tried: `db:5432`. Left out by one without a server. */
  readonly servers?: readonly string[] | undefined;
  /**
   * The engine behind the connections, detected when the driver connects; replaced by another object when it changes. Before
   * the first connection it holds only what is certain without asking the server.
   */
  readonly engine: Engine;
  /** Of `engine`. */
  readonly capabilities: ReadonlySet<DatabaseCapability>;
  /** The limits that each transaction must set, because connections are opened without them. Left out: none. */
  readonly transactionLimits?: TransactionLimits | undefined;
  /** Other servers than the one that takes writes may answer reads. Default false. */
  readonly hasReplicas?: boolean;
  /** Transactions that say nothing else are READ COMMITTED. Default true; known once it is connected. */
  readonly isReadCommitted?: boolean;
  /** One attempt to reach the server, proven by a round trip. Not retried here. */
  connect(signal: AbortSignal): Promise<void>;
  /**
   * Lends a connection that is known to work.
   *
   * @throws AcquireTimeoutError when no connection came free in time, or when the turn of the caller came too late to open one;
   * the driver's own error when none could be opened.
   */
  acquire(options: AcquireOptions): Promise<DriverConnection>;
  /** One round trip that never waits behind the work of users. Rejects when `signal` aborts. */
  ping(signal: AbortSignal): Promise<void>;
  /**
   * Sent with the first statement of a transaction that may write: one row, one column `id`. It makes the server assign an
   * id even when nothing else would (NOTIFY, a foreign server), because only a transaction with an id can be looked up.
   * Present only with capability `commit-lookup`, so known once connected. Only `transactionOutcome` interprets the id.
   */
  readonly transactionIdProbe?: Statement | undefined;
  /**
   * Sent in the same round trip after COMMIT, for a session with `consistencyToken`: one row, one column `position`. A replica
   * that has reached the position shows what the session stored (`AcquireOptions.after`). Left out by a driver that
   * never has replicas.
   */
  readonly positionProbe?: Statement;
  /** What became of a transaction. Only with capability `commit-lookup`. */
  transactionOutcome(transactionId: string, signal: AbortSignal): Promise<TransactionOutcome>;
  /** Connects to the server that takes writes; outside of the pool. Present with capability `listen` and only then. */
  openListener?(options: OpenListenerOptions): Promise<DriverListener>;
  /**
   * Runs `statements` together on the server that takes writes, over a connection that no work of users and no ping waits
   * for. Left out: the caller uses a lent connection. Rejects when `signal` aborts. With `endsIdle`, when another connection
   * blocks the statements and has been idle in its transaction for a second, the server ends that connection.
   */
  askApart?(
    statements: readonly Statement[],
    signal: AbortSignal,
    options?: { readonly endsIdle?: boolean },
  ): Promise<BatchOutcome['results']>;
  /**
   * What `sql` uses that may leave a state on its connection, by name: a function that changes a setting, a table whose trigger
   * calls it. Left out by a driver that does not know.
   */
  lastingNameIn?(sql: string): string | undefined;
  /** Of all its pools together. */
  stats(): PoolStats;
  /** Server by server, for a driver that may have several. */
  hosts?(): readonly HostStats[];
  /** Lends nothing until `resume`; callers wait as long as their time allows. */
  suspend(): void;
  resume(): void;
  /** Replaces every connection: idle ones at once, lent ones when they come back. No statement is interrupted. */
  renew(): void;
  /** Lends no more, waits for what is out until `deadline`, then destroys it. Always resolves. */
  close(deadline: Deadline): Promise<void>;
  /** Called when a connection without a pending request was lost. */
  onLost(listener: (cause: unknown) => void): void;
}
