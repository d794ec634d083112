import type { Deadline } from '@keelson/core';
import type { EntityManager } from '../orm/entity-manager.js';
import type { IsolationLevel } from '../transaction/isolation-levels.js';
import type { SessionIdentity } from './session-identity.js';

export interface OpenSessionOptions {
  /** What the session is for, low in cardinality; in spans, logs and errors. Default `session`. */
  readonly name?: string;
  /** The server refuses writes, the session does not wait for COMMIT, and a replica may answer. Default false. */
  readonly readOnly?: boolean;
  /** Of a read-only session: no replica answers, so that it sees all that was committed before. Default false. */
  readonly fresh?: boolean;
  /**
   * The token of an earlier commit, of whatever session: a read-only session shows what was stored then. A replica that is
   * not that far is waited for in bounded time; then the primary answers.
   */
  readonly after?: string | undefined;
  /** Of a read-only session: a replica answers only when it is known to be no further behind, in ms. */
  readonly maxLagMs?: number;
  /** The session has a `consistencyToken` once it is committed; the server gives it with COMMIT. Default false. */
  readonly consistencyToken?: boolean;
  readonly isolation?: IsolationLevel;
  /**
   * The variables and the role that row-level security decides by; sent with BEGIN, at no round trip. Default: those of the
   * session around it, also when that has ended; `{}` for none.
   */
  readonly session?: SessionIdentity;
  /** With `serializable` and `readOnly`: waits for a snapshot that cannot fail. Default false. */
  readonly deferrable?: boolean;
  /** Longest single statement, in ms; the server ends it. Default: the connection's own. */
  readonly statementTimeoutMs?: number;
  /** Longest wait for a lock, in ms. Default: the connection's own. */
  readonly lockTimeoutMs?: number;
  /** Longest pause between two statements, in ms; the server ends the connection. Default: the connection's own. */
  readonly idleTimeoutMs?: number;
  /**
   * The session ends by then: a pending statement rejects at once, also when the server does not answer.
   * Cancelling the statement on the server and rolling back go on in the background.
   */
  readonly deadline?: Deadline;
  /** As `deadline`, in ms from now; the earlier of the two counts. Default: `session.timeoutMs` of the configuration. */
  readonly timeoutMs?: number;
  /** Aborting it ends the session as its deadline does; not once COMMIT was sent. */
  readonly signal?: AbortSignal;
  /**
   * Finds out whether an unanswered COMMIT was stored, when the server does not know: resolves to true when the writes are
   * stored, to false when they are not. Called once.
   */
  readonly verifyCommitted?: () => Promise<boolean>;
}

/** The options that a session on demand may receive at its first use. */
export type LateSessionOptions = Omit<OpenSessionOptions, 'name' | 'readOnly' | 'deadline' | 'timeoutMs' | 'signal'>;

export interface SessionOptions extends OpenSessionOptions {
  /**
   * What to do inside another session: `join` it (default), use a `savepoint` in it, or open a `separate` one on a
   * second connection. The first two have the transaction of that session: options that ask for another are refused.
   */
  readonly nested?: 'join' | 'savepoint' | 'separate';
  /** `safe` (default) runs the work again when a failed attempt left nothing behind; `never` runs it once. */
  readonly retry?: 'safe' | 'never';
}

/** One unit of work: an EntityManager of its own, one transaction. */
export interface DatabaseSession extends AsyncDisposable {
  /** Short, unique in the process; in log lines and errors. */
  readonly id: string;
  readonly em: EntityManager;
  /** 1 for the first; greater when the unit is run again. */
  readonly attempt: number;
  /** Aborts when the session is cancelled, or over its deadline. */
  readonly signal: AbortSignal;
  readonly state: 'open' | 'committed' | 'rolled back' | 'unknown';
  /**
   * For the option `after` of later reads, once it is committed: text for a header or a cookie. Undefined unless the session
   * may write, was opened with `consistencyToken: true`, and has sent a statement. Always undefined on PGlite.
   */
  readonly consistencyToken: string | undefined;
  /**
   * Whether a stream, or a `read` that has joined the session, is reading rows now. `alone`: the session has nothing to
   * store, so its end may wait for the reader. `with writes`: a stream reads, and the session has changes to store.
   */
  readonly reading: 'no' | 'alone' | 'with writes';
  /**
   * Flushes and commits. Resolves once the writes are certainly stored and the callbacks of `onCommit` have ended.
   *
   * @throws SessionAbortedError when its time was over before; nothing is stored.
   * @throws QueryError when the server refused; nothing is stored.
   * @throws ConnectionError when the connection was lost and nothing is stored.
   * @throws AmbiguousCommitError when the outcome is still unknown at the deadline.
   */
  commit(): Promise<void>;
  /**
   * Rolls everything back. Resolves when the server has done so, or at the deadline; then the rollback goes on in the
   * background. Never rejects. Does nothing to a session that has ended, and waits for a COMMIT that was sent.
   */
  rollback(): Promise<void>;
  /** Makes this the current session of everything `work` calls and awaits. */
  run<T>(work: () => T): T;
  /**
   * Sends a message to all that listen to `channel` when the session commits, and none when it is rolled back, or when a
   * savepoint takes back the part that sent it. Costs no round trip when a statement follows. A text is sent as it is,
   * anything else as JSON. The server delivers equal messages of one session once.
   *
   * @throws ChannelInvalidError for a name of more than 63 bytes.
   * @throws NotifyRefusedError in a read-only session, and for a payload of more than 7999 bytes.
   * @throws SessionClosedError when the session has ended.
   */
  notify(channel: string, payload?: unknown): void;
  /**
   * Calls `callback` once after the commit is certain, unless a savepoint has rolled back the part that registered it. An
   * error in it is logged, and changes nothing.
   *
   * @throws SessionClosedError when the session has ended: it would never be called.
   */
  onCommit(callback: () => void | Promise<void>): void;
  /**
   * Calls `callback` once when it is certain that nothing is stored, of the session or of the part that registered it. Not
   * called when the outcome is unknown.
   *
   * @throws SessionClosedError when the session has ended: it would never be called.
   */
  onRollback(callback: () => void | Promise<void>): void;
}

/**
 * A session that opens at its first use: by `open`, `currentSession()` or `orm.em`, or when another session joins it. Its
 * time limit runs from its creation, not from the first use. The owner ends the opened session, and calls `close`.
 */
export interface SessionOnDemand {
  /** Undefined until it is first used. */
  readonly opened: DatabaseSession | undefined;
  /**
   * Opens it, unless it is open.
   *
   * @throws SessionClosedError when it was closed before its first use.
   * @throws what `openSession` throws.
   */
  open(): DatabaseSession;
  /** Makes it the current session of everything `work` calls and awaits. */
  run<T>(work: () => T): T;
  /** Prevents the session from being opened from now on. */
  close(): void;
  /** As `close`, and ends an opened session as aborting its `signal` option would; not once COMMIT was sent. */
  abort(reason: unknown): void;
}

export type SessionWork<T> = (em: EntityManager, session: DatabaseSession) => Promise<T>;
