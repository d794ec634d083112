import { type Deadline, type HealthResult, type ServiceToken, serviceToken } from '@keelson/core';
import type { EntityName, RequiredEntityData } from '@mikro-orm/core';
import type { BatchOptions, BatchProgress, BatchSource, BatchWork } from './batch/batch-options.js';
import type { PoolStats } from './driver/driver.js';
import type { DatabaseCapability, Engine } from './driver/engine.js';
import type {
  ChannelHandler,
  ListeningStats,
  ListenOptions,
  ListenSchemaOptions,
  Subscription,
} from './listening/listen-options.js';
import type { MigrationStatus } from './migrations/migration-table.js';
import type { EntityManager } from './orm/entity-manager.js';
import type { CommitProofName } from './proof/choices.js';
import type { SchemaReport } from './schema/schema-report.js';
import type {
  DatabaseSession,
  LateSessionOptions,
  OpenSessionOptions,
  SessionOnDemand,
  SessionOptions,
  SessionWork,
} from './session/database-session.js';
import type { DatabaseState, StateListener } from './state.js';
import type { StatementReport } from './statements/statement-log.js';

/** The database of a service: PostgreSQL through MikroORM, one EntityManager and one transaction for each unit of work. */
export interface DatabaseService {
  /** `db:5432/shop`, for people; undefined for a database without a server. */
  readonly address?: string | undefined;
  readonly state: DatabaseState;
  /** The engine behind the connections, its capabilities and the promises that are weaker on it; detected when connecting. */
  readonly engine: Engine;
  /** Of `engine`. */
  readonly capabilities: ReadonlySet<DatabaseCapability>;
  /** How a COMMIT without an answer is resolved; known once it is connected. */
  readonly commitProof: CommitProofName;
  /** Calls the listener once for each change of state. Disposing of the result removes it. */
  onStateChange(listener: StateListener): Disposable;
  /**
   * Connects, trying again with growing pauses while the server starts, for at most `connect.timeoutMs`. Calls made
   * meanwhile share the attempt; on a connected service it does nothing.
   *
   * With tokens as proof of commits it makes their table where that is missing. With `asIs` it leaves everything as it is,
   * for a tool that writes nothing.
   *
   * @throws ConnectionError DATABASE_CONNECT_FAILED; at once for a wrong password or a missing database.
   * @throws KeelsonError DATABASE_COMMIT_TOKENS when tokens are the proof of commits and their table cannot be used.
   */
  connect(options?: { readonly asIs?: boolean }): Promise<void>;
  /**
   * Runs `work` as one unit: commits when it resolves, rolls back when it rejects, cleans up either way. The whole unit
   * runs again, on a fresh EntityManager and connection, when a failure is known to have left nothing behind.
   * Takes no connection before its first statement. Inside another session it joins that one.
   *
   * @throws QueryError, ConnectionError, AmbiguousCommitError, SessionAbortedError, NestedOptionsError, or what `work` threw.
   */
  session<T>(work: SessionWork<T>, options?: SessionOptions): Promise<T>;
  /** As `session`, but inside another session it gets a savepoint of its own: it can fail alone. */
  transaction<T>(work: SessionWork<T>, options?: SessionOptions): Promise<T>;
  /** As `session`, read-only. */
  read<T>(work: SessionWork<T>, options?: Omit<SessionOptions, 'readOnly'>): Promise<T>;
  /**
   * Stores many items in one transaction, `chunkSize` at a time: `work` gets each chunk and an EntityManager that is
   * flushed and emptied after it, so that any number of items needs the memory of one chunk. The source is read only as
   * fast as chunks are stored, and closed on every way out. Inside another session it joins that one. It may take
   * `batch.timeoutMs` of the configuration.
   *
   * The batch runs again like a session, when the source can be read again or only its first chunk was read. When the server
   * refuses a value, the chunk is stored again in parts, and taken back, to find the item; not with `retry: 'never'`.
   *
   * @throws QueryError with `facts.itemIndex`; with `firstItem` and `lastItem` when it could not be found.
   * @throws what `session` throws, what `work` threw, what the source threw; nothing is stored.
   */
  batch<Item>(items: BatchSource<Item>, work: BatchWork<Item>, options?: BatchOptions): Promise<BatchProgress>;
  /**
   * Inserts many rows of one entity in one transaction: by COPY where the driver can, otherwise by INSERTs of many rows.
   * Values are converted as by `em.insertMany`; what a row leaves out gets the default of its column. Calls no hooks and
   * no subscribers, and returns no keys. Everything else is as in `batch`.
   *
   * @throws ValidationError for a value that does not fit its property; and as `batch`.
   */
  bulkInsert<Entity extends object>(
    entity: EntityName<Entity>,
    rows: BatchSource<RequiredEntityData<Entity>>,
    options?: BatchOptions,
  ): Promise<BatchProgress>;
  /**
   * Opens a session that its owner ends: `await using session = await database.openSession()`. Call `commit()`, otherwise it
   * is rolled back. Keelson never runs it again.
   */
  openSession(options?: OpenSessionOptions): Promise<DatabaseSession>;
  /**
   * As `openSession`, but opens the session at its first use: for an owner that cannot know whether a session will be needed.
   * Calls `whenUsed` once, at the first use, for options that are known only then. When a MikroORM subscriber takes part in
   * the begin of transactions, opens the session and calls `whenUsed` at once.
   */
  sessionOnDemand(options?: OpenSessionOptions, whenUsed?: () => LateSessionOptions): Promise<SessionOnDemand>;
  /**
   * Runs `work` outside of every session, even when the calling code is in one. Use it to start work that outlives the
   * caller: a queue, a timer, a cache that fills itself. Without it, such work would join the session of the caller while
   * that is open, and be rolled back with it.
   */
  outside<T>(work: () => T): T;
  /** The session that the calling code runs in. */
  currentSession(): DatabaseSession | undefined;
  /**
   * Calls `handler` with each message that a transaction sends to `channel` with `session.notify` or NOTIFY, once the server
   * has confirmed and this has resolved. All channels share one connection, which is not of the pool. It is opened
   * again when it is lost; what was sent meanwhile is lost, and each handler gets a gap. Its first event is a gap as well.
   *
   * A handler is called outside of every session, with one event at a time. When it fails, the error is logged and
   * reported, and the next event follows.
   *
   * @throws ListenFailedError when the server has not confirmed in time, and at once when no retry can help.
   * @throws ChannelInvalidError for a name of more than 63 bytes.
   * @throws UnsupportedError without the capability `listen`.
   */
  listen(channel: string, handler: ChannelHandler, options?: ListenOptions): Promise<Subscription>;
  listen<Payload>(
    channel: string,
    handler: ChannelHandler<Payload>,
    options: ListenSchemaOptions<Payload>,
  ): Promise<Subscription>;
  /** The state of the connection and the channels of `listen`; undefined until the first `listen`. */
  readonly listening: ListeningStats | undefined;
  /**
   * Delivers no more messages until `resume`, after which each handler gets a gap. Resolves when the handlers that run have
   * returned, or at `deadline`; true when all have.
   */
  pauseListening(deadline: Deadline): Promise<boolean>;
  /** One round trip on a connection of its own, never behind the work of users. Never rejects. */
  health(signal?: AbortSignal): Promise<HealthResult>;
  stats(): PoolStats;
  /**
   * Calls `listener` after each statement of a session, with its shape and without its values. Rows that are streamed or
   * loaded by COPY are not reported. Disposing of the result ends it. Without a listener it costs nothing.
   */
  onStatement(listener: (report: StatementReport) => void): Disposable;
  /** Sessions wait at their first statement until `resume`, as long as their time allows: for a planned switch-over. */
  suspend(): void;
  resume(): void;
  /** Replaces every connection, without interrupting anyone: after a failover behind one address, or a new password. */
  renewConnections(): void;
  /**
   * Delivers no more messages, waits for the handlers that run, then refuses new sessions and resolves when all open ones
   * have ended, retries of theirs included, or at `deadline`; true when all had ended.
   */
  drain(deadline: Deadline): Promise<boolean>;
  /** Which migrations are applied, and which are not. Changes nothing, and makes no table. */
  migrations(): Promise<MigrationStatus>;
  /**
   * Applies the migrations that are not yet applied, up to and including `to`. Migrations in a row that run in a transaction
   * share one; the others run one by one, outside of any. Safe when several instances do it at once: one applies them, the
   * others wait. Returns the names of those that it has applied. When its COMMIT got no answer, another instance may have
   * applied some of them before it looked.
   *
   * @throws KeelsonError DATABASE_MIGRATION_FAILED with `facts.migration`; its message says what is stored.
   */
  migrate(options?: { readonly to?: string }): Promise<readonly string[]>;
  /**
   * Reverts the last applied migration with its `down`. Returns its name, or undefined when none is applied.
   *
   * @throws KeelsonError DATABASE_MIGRATION_FAILED; also for one that this version of the service does not have.
   */
  revert(): Promise<string | undefined>;
  /**
   * Returns the SQL that adds what the entities have and the tables lack, one text for each statement. It is a draft: read it
   * before you use it. Drops nothing, and runs nothing.
   *
   * @throws QueryError, ConnectionError when the database could not be asked.
   */
  draftMigration(): Promise<readonly string[]>;
  /**
   * Compares the entities with the tables of the database. Unmapped parts are reported as `info`. Nothing is changed,
   * and nothing is proposed that would lose data.
   *
   * @throws QueryError, ConnectionError when the database could not be asked.
   */
  validateSchema(): Promise<SchemaReport>;
  /**
   * Lends no more connections. Waits until `deadline` for open sessions and for connections that are being returned, then
   * cuts them. Calls that wait for a further attempt are refused at once. Always resolves.
   */
  disconnect(deadline?: Deadline): Promise<void>;
}

export const DatabaseService: ServiceToken<DatabaseService> = serviceToken('@keelson/database/DatabaseService');

/**
 * The EntityManager of the session that the calling code runs in, so that it need not be a parameter of every call. Each
 * use finds the current session, so a singleton may keep this object. Inside a savepoint it is the EntityManager of the
 * savepoint, and in a further attempt that of the attempt. The first use in a request opens the session of the request.
 *
 * Each use, also one that asks for no data, throws:
 *
 * - KeelsonError DATABASE_OUTSIDE_SESSION outside of every session,
 * - KeelsonError DATABASE_SESSION_CLOSED in a session that has ended.
 */
export const CurrentEntityManager: ServiceToken<EntityManager> = serviceToken('@keelson/database/CurrentEntityManager');
