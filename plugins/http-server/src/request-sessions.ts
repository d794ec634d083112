import type { IncomingMessage } from 'node:http';
import { KeelsonError, type RequestSessionOptions } from '@keelson/core';
import type { EntityManager } from '@keelson/database/contract';
import type { PoolLoad } from './overload.js';

/** The part of `DatabaseService` that a request needs. */
export interface RequestSessions {
  /** Opens nothing before the session is used, and takes no connection before its first statement. `whenUsed` is called then. */
  onDemand(settings: SessionSettings, whenUsed?: () => RequestSessionOptions): Promise<RequestSession>;
  /** Runs `work` in its own session until it commits, may not be repeated, or its time is over. */
  unit<T>(work: (em: EntityManager) => Promise<T>, options: UnitOptions): Promise<T>;
  pool(): PoolLoad;
}

/** Units of work for one request, next to its session; each may be run more than once. */
export interface RequestUnits {
  readonly readOnly: boolean;
  /** Aborts when the client disconnects before the end of its answer. */
  readonly signal: AbortSignal;
  /** Writes what the session of the request holds, when it was opened and may write. */
  flush(): Promise<void>;
  run<T>(work: (em: EntityManager) => Promise<T>): Promise<T>;
  /** Once, read-only, and with one snapshot for all statements; ends after `timeoutMs`, by default that of every session. */
  read<T>(work: (em: EntityManager) => Promise<T>, options: { readonly timeoutMs?: number | undefined }): Promise<T>;
  /** What is answered instead of an error of the commit of the session of the request. */
  mapErrors(map: (error: unknown) => unknown): void;
  /** Ends them and the session of the request, unless COMMIT was sent. False when there is nothing to end. */
  cutShort(reason: unknown): boolean;
}

export interface SessionSettings {
  /** Low in cardinality: `http.post`. */
  readonly name: string;
  readonly readOnly: boolean;
  /** Of a session that may write: it has a token once it is committed. */
  readonly consistencyToken?: boolean;
  /** Of a read-only one: it sees what was stored when this token was given. */
  readonly after?: string | undefined;
}

export interface UnitOptions extends SessionSettings, RequestSessionOptions {
  /** Aborts when the client disconnects: the running statement is cancelled on the server. */
  readonly signal: AbortSignal;
  readonly retry?: 'never';
  readonly timeoutMs?: number;
  /** Called when an attempt begins, with the id of its session. */
  readonly onSession?: (id: string) => void;
  /** Called when it is committed and has a token. */
  readonly onToken?: (token: string) => void;
}

export interface RequestSession {
  /** Undefined until it is first used. */
  readonly opened: OpenedSession | undefined;
  /** Opens it at its first use. */
  open(): OpenedSession;
  /** Makes it the current session of everything `work` calls and awaits. */
  run<T>(work: () => T): T;
  /** From now on it is not opened any more. */
  close(): void;
  /** The same, and cancels what runs in it on the server, unless COMMIT was sent. */
  abort(reason: unknown): void;
}

export interface OpenedSession {
  /** As in the log lines of the session. */
  readonly id?: string;
  readonly em: EntityManager;
  /** Whether the session reads rows now; `alone` when its end may wait for them, as it has nothing to store. */
  readonly reading: 'no' | 'alone' | 'with writes';
  /** Known once it is committed, when the settings ask for it. */
  readonly consistencyToken?: string | undefined;
  commit(): Promise<void>;
  /** Never rejects. */
  rollback(): Promise<void>;
}

/** On the request itself, so that two copies of this package see the same session. */
const key = Symbol.for('@keelson/http-server/session');

interface Attached {
  readonly session: { readonly em: EntityManager; readonly usedId?: string | undefined };
  readonly units: RequestUnits;
}

type WithSession = IncomingMessage & { [key]?: Attached };

export function attachSession(request: IncomingMessage, session: Attached['session'], units: RequestUnits): void {
  (request as WithSession)[key] = { session, units };
}

/**
 * Ends what runs for `request` in the database, unless COMMIT was sent: its handler gets an error, and so its client an
 * answer. False when nothing runs.
 */
export function cutShort(request: IncomingMessage, reason: unknown): boolean {
  return unitsOf(request)?.cutShort(reason) ?? false;
}

/** @throws KeelsonError HTTP_SESSION_MISSING, as `currentSession`. */
export function attachedUnits(request: IncomingMessage): RequestUnits {
  return attached(request).units;
}

/** The id of the session of `request`, or of the last attempt of its last unit; undefined when it has used none. */
export function sessionIdOf(request: IncomingMessage): string | undefined {
  return (request as WithSession)[key]?.session.usedId;
}

/** Undefined for a request that has no session. */
export function unitsOf(request: IncomingMessage): RequestUnits | undefined {
  return (request as WithSession)[key]?.units;
}

/**
 * The EntityManager of `request`: one transaction, committed before the first byte of the answer is sent, and rolled back
 * on an error, on a status of 400 and above, or when the client disconnects. The first call opens it. Do not use it after
 * the answer has started.
 *
 * @throws KeelsonError DATABASE_SESSION_CLOSED when the answer has started before the first use.
 * @throws KeelsonError HTTP_SESSION_MISSING for a route with `session: 'none'` or a service without a database.
 */
export function currentSession(request: IncomingMessage): EntityManager {
  return attached(request).session.em;
}

function attached(request: IncomingMessage): Attached {
  const found = (request as WithSession)[key];
  if (found === undefined) throw missing();
  return found;
}

function missing(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_SESSION_MISSING',
    message: 'The request has no database session.',
    hint: "Give the service a database plugin, and mount the route without `session: 'none'`.",
  });
}
