import { KeelsonError, type ProblemDocument } from '@keelson/core';
import { callerPath } from './code-path.js';
import { causeOf } from './connection-error.js';

function place(): { at?: string } {
  const at = callerPath();
  return at === undefined ? {} : { at };
}

/** A session, or an EntityManager of one, was used after it had committed or rolled back. */
export class SessionClosedError extends KeelsonError {
  constructor() {
    super({
      code: 'DATABASE_SESSION_CLOSED',
      message: 'The session has ended; nothing more can run in it.',
      hint: 'Look for a promise that was not awaited, or an EntityManager kept after its session.',
      facts: place(),
    });
  }
}

/**
 * A statement of the session, work that had joined it, or its flush failed before, and the code went on. Nothing is stored.
 * After a failed statement the server refuses all further ones until the rollback (SQLSTATE 25P02).
 */
export class TransactionFailedError extends KeelsonError {
  /**
   * `cause`: the failure that was swallowed. `http`: the HTTP answer to that failure, when another attempt may succeed, such
   * as after a lost connection. Left out: 500 without details.
   */
  constructor(cause?: unknown, http?: ProblemDocument) {
    super({
      code: 'DATABASE_TRANSACTION_FAILED',
      message: 'An earlier failure ended this transaction: nothing of it is stored, and nothing more can run in it.',
      hint: 'Let the first error propagate, or run statements that may fail in a nested session with a savepoint.',
      facts: place(),
      cause,
      ...(http && { http }),
    });
  }
}

/** What of a session whose work ended its transaction is stored. */
export type StoredByHand = 'nothing' | 'all before it' | 'a prepared transaction' | 'unknown';

/** The work of a session ended its transaction, or was about to: with a statement, or through MikroORM. */
export class TransactionByHandError extends KeelsonError {
  constructor(facts: { readonly by: string; readonly stored: StoredByHand }) {
    super({
      code: 'DATABASE_TRANSACTION_BY_HAND',
      message: `Work inside a session used ${facts.by}, which only the session itself may use: ${storedByHand[facts.stored]}`,
      hint: hintFor(facts.by),
      facts: { ...facts, ...place() },
    });
  }
}

const nested = 'for a part that may fail alone, use database.transaction(async em => ...)';

/** What to write instead. */
function hintFor(by: string): string {
  if (/COMMIT|END|PREPARE|commit/.test(by))
    return "Let the work resolve, which commits the session; to store a part permanently, use { nested: 'separate' }.";
  if (/SAVEPOINT|RELEASE|ROLLBACK TO/.test(by))
    return 'Use database.transaction(async em => ...), which creates a savepoint that the session tracks.';
  if (/ROLLBACK|ABORT|rollback/.test(by)) return `Throw from the work, which rolls the session back; ${nested}.`;
  if (by === 'SET TRANSACTION READ WRITE') return 'Use database.session: this session is read-only.';
  if (/BEGIN|START|begin/.test(by)) return `Remove it, because the session begins its transaction; ${nested}.`;
  return 'To commit, let the work resolve; to roll back, throw from it. For a part of the work, use database.transaction.';
}

const storedByHand: Readonly<Record<StoredByHand, string>> = {
  nothing: 'nothing of the session is stored.',
  'all before it': 'the work before it in the session is stored, and nothing after it.',
  'a prepared transaction': 'the work before it waits for COMMIT PREPARED or ROLLBACK PREPARED.',
  unknown: 'it is unknown whether the work before it is stored.',
};

/** One text held several statements. */
export class SeveralStatementsError extends KeelsonError {
  constructor(cause: unknown) {
    super({
      code: 'DATABASE_SEVERAL_STATEMENTS',
      message: 'One text contained several statements; none of them ran.',
      hint: 'Run each statement separately; only a migration may have several in one text.',
      facts: place(),
      cause: causeOf(cause),
    });
  }
}

/** A value of a statement was an entity that is not stored yet and has no key to write. Nothing was sent. */
export class EntityWithoutKeyError extends KeelsonError {
  constructor(facts: { readonly entity: string; readonly property?: string }) {
    super({
      code: 'DATABASE_ENTITY_WITHOUT_KEY',
      message: `A statement refers to an entity that is not stored yet and has no key: ${facts.entity}.`,
      hint: 'Call em.flush() first, or store both with a flush: em.create, em.persist.',
      facts: { ...facts, ...place() },
    });
  }
}

/** A statement changed a setting with which the server reads and writes values, so they could be misread. Nothing is stored. */
export class FormatChangedError extends KeelsonError {
  constructor(facts: { readonly setting: string }) {
    super({
      code: 'DATABASE_FORMAT_CHANGED',
      message: `A statement changed ${facts.setting}, so values could be misread or stored as different values; nothing of the session is stored.`,
      hint: 'Leave the setting as it is, and format values in SQL: to_char(…), convert_to(…).',
      facts: { ...facts, ...place() },
    });
  }
}

/** A statement was a COPY from stdin or to stdout: a statement can neither send nor return the rows. Nothing was sent. */
export class CopyRefusedError extends KeelsonError {
  constructor() {
    super({
      code: 'DATABASE_COPY_REFUSED',
      message: 'A COPY from stdin or to stdout was run as a statement, which can neither send nor return its rows.',
      hint: 'Store rows with database.bulkInsert, and read them with a query or a stream.',
      facts: place(),
    });
  }
}

/** The session was to end, or to hand out its connection, while a statement or a nested session of it still ran. */
export class ConcurrentUseError extends KeelsonError {
  constructor() {
    super({
      code: 'DATABASE_CONCURRENT_USE',
      message:
        'A statement or a nested session was still running when other code ended the session or asked for its connection.',
      hint: 'Look for a promise that was not awaited, or give each task a separate session.',
      facts: place(),
    });
  }
}

/** The rollback of a nested session has also undone other work that ran in the same session since the nested one began. */
export class WorkUndoneError extends KeelsonError {
  /** `at` is where the nested session was begun. */
  constructor(at: string | undefined) {
    super({
      code: 'DATABASE_WORK_UNDONE',
      message:
        'A nested session failed, and its rollback has undone other work that ran in the same session at the same time.',
      hint: 'Run nested sessions one after the other, or give each task a separate session.',
      facts: at === undefined ? {} : { at },
    });
  }
}

/** Each flush before the commit has left more to store than it found. */
export class EndlessFlushError extends KeelsonError {
  /** `at` is where the last of it was made. */
  constructor(facts: { readonly flushes: number; readonly entity?: string; readonly at?: string | undefined }) {
    const { flushes, entity, at } = facts;
    super({
      code: 'DATABASE_FLUSH_ENDLESS',
      message: `After ${flushes} flushes, changes were still left to store: a hook makes new changes in each flush.`,
      hint: 'Change the hook so that it makes each change only once.',
      facts: { flushes, ...(entity !== undefined && { entity }), ...(at !== undefined && { at }) },
    });
  }
}

/** An entity of one open session was to be stored, removed, merged or reloaded by another, or is new and another refers to it. */
export class SharedEntityError extends KeelsonError {
  /** `relation` is what refers to it: `Order.customer`. */
  constructor(facts: { readonly entity: string; readonly relation?: string }) {
    super({
      code: 'DATABASE_ENTITY_SHARED',
      message: `A session tried to store, remove, merge or reload an entity of another session that is still open: ${facts.relation ?? facts.entity}.`,
      hint: 'Load the entity in each session, or end the other session first.',
      facts: { ...facts, ...place() },
    });
  }
}

/**
 * An EntityManager that belongs to no open session was asked for data, or the one of `CurrentEntityManager` was used outside
 * of every session.
 */
export class OutsideSessionError extends KeelsonError {
  /** `injected`: the one of `CurrentEntityManager`. */
  constructor({ injected = false }: { readonly injected?: boolean } = {}) {
    super({
      code: 'DATABASE_OUTSIDE_SESSION',
      message: injected
        ? 'An injected EntityManager was used outside a session.'
        : 'An EntityManager was used outside its session, or after its session had ended.',
      hint: injected
        ? 'Call the code inside database.session(async () => ...), or in a request before its answer. A constructor has no session.'
        : 'Use the EntityManager that database.session(async em => ...) gives, inside its function.',
      facts: place(),
    });
  }
}

/** A second connection was asked for inside a session: its work would not be part of the transaction. */
export class SecondConnectionError extends KeelsonError {
  /** `propagation` is what `em.transactional` was given. */
  constructor(facts: { readonly propagation?: string } = {}) {
    super({
      code: 'DATABASE_SECOND_CONNECTION',
      message: 'A statement inside a session would have run on a second connection, outside of its transaction.',
      hint:
        facts.propagation === undefined
          ? "Use the session's own EntityManager; if you need a second connection, use { nested: 'separate' }."
          : "Use database.session(work, { nested: 'separate' }), or database.outside for work that outlives the session.",
      facts: { ...facts, ...place() },
    });
  }
}

/** Work inside a session asked for what only a transaction of its own can have. */
export class NestedOptionsError extends KeelsonError {
  constructor(options: readonly string[]) {
    super({
      code: 'DATABASE_NESTED_OPTIONS',
      message: `Work inside a session asked for options that the transaction of the session does not have: ${options.join(', ')}.`,
      hint: "Give the option to the outer session, or use database.session(work, { nested: 'separate' }).",
      facts: { options: options.join(', '), ...place() },
    });
  }
}

/** The caller gave up, or the time was over; what ran on the server was cancelled and nothing is stored. */
export class SessionAbortedError extends KeelsonError {
  constructor(facts: { readonly name: string; readonly reason: 'deadline' | 'signal' }, cause?: unknown) {
    super({
      code: 'DATABASE_SESSION_ABORTED',
      message:
        facts.reason === 'deadline'
          ? `The session "${facts.name}" exceeded its deadline and was rolled back.`
          : `The session "${facts.name}" was cancelled by its caller and was rolled back.`,
      hint: 'Find out what the session waits for before you give it more time.',
      facts,
      cause,
      http: {
        status: 503,
        title: 'Service Unavailable',
        detail: 'The request took too long and was cancelled.',
        retryAfterMs: 1_000,
      },
    });
  }
}

/** The driver, or the engine behind it, lacks a capability that the call needs. Nothing was sent. */
export class UnsupportedError extends KeelsonError {
  /** `engine`: left out where the driver itself lacks it. */
  constructor(facts: { readonly driver: string; readonly capability: string; readonly engine?: string }) {
    const where = facts.engine === undefined ? '' : ` on this database (${facts.engine})`;
    super({
      code: 'DATABASE_UNSUPPORTED',
      message: `The database driver "${facts.driver}" lacks the capability "${facts.capability}"${where}.`,
      hint: instead.get(facts.capability) ?? 'Use @keelson/database-postgresql, or do not use this feature.',
      facts: { ...facts, ...place() },
    });
  }
}

/** What to do without a capability. */
const instead: ReadonlyMap<string, string> = new Map([
  ['commit-lookup', 'Set commitProof to token or auto.'],
  [
    'savepoints',
    "Run the part directly in the session (an error then rolls the whole session back), or in a separate session: { nested: 'separate' }.",
  ],
  [
    'session-state',
    'Use a form that ends with the transaction: SET LOCAL, set_config(…, true), pg_advisory_xact_lock.',
  ],
  ['server-timeouts', 'Leave the time limit out; timeoutMs ends the statements of the session.'],
  ['transactional-ddl', 'Change tables in a migration, which says what is stored when it fails.'],
  ['stream', 'Read the rows at once, or page by page.'],
  [
    'listen',
    'Listen with a second database plugin whose url bypasses the pooler, or query the tables from time to time.',
  ],
]);

/** A session asked for an isolation level that the database does not give. Nothing was sent. */
export class IsolationUnsupportedError extends KeelsonError {
  constructor(facts: { readonly isolation: string; readonly available: string; readonly engine: string }) {
    super({
      code: 'DATABASE_UNSUPPORTED',
      message: `This database (${facts.engine}) has no isolation level "${facts.isolation}".`,
      hint: `Use one that it has: ${facts.available}.`,
      facts: { ...facts, ...place() },
    });
  }
}

/** A statement would leave a state on a connection that a pooler lends to others after the transaction. */
export class LastingStateError extends KeelsonError {
  constructor(facts: { readonly by: string }) {
    super({
      code: 'DATABASE_LASTING_STATE',
      message: `${facts.by} would leave a state on the connection, which the pooler lends to other clients after the transaction.`,
      hint: 'Use set local, set_config(…, true), pg_advisory_xact_lock or on commit drop; for LISTEN, connect without the pooler.',
      facts: { ...facts, ...place() },
    });
  }
}
