import type { IncomingMessage } from 'node:http';
import { KeelsonError } from '@keelson/core';
import type { EntityManager } from '@keelson/database/contract';

/** What a request needs of a database; all of it is in `DatabaseService`. */
export interface RequestSessions {
  /** Takes no connection before the first statement of the session. */
  open(options: RequestSessionOptions): Promise<RequestSession>;
}

export interface RequestSessionOptions {
  /** Low in cardinality: `http.post`. */
  readonly name: string;
  readonly readOnly: boolean;
  /** Aborts when the client goes away: the running statement is cancelled on the server. */
  readonly signal: AbortSignal;
}

export interface RequestSession {
  readonly em: EntityManager;
  commit(): Promise<void>;
  /** Never rejects. */
  rollback(): Promise<void>;
  /** Makes it the current session of everything `work` calls and awaits. */
  run<T>(work: () => T): T;
}

/** On the request itself, so that two copies of this package see the same session. */
const key = Symbol.for('@keelson/http-express/session');

type WithSession = IncomingMessage & { [key]?: RequestSession };

export function attachSession(request: IncomingMessage, session: RequestSession): void {
  (request as WithSession)[key] = session;
}

/**
 * The EntityManager of `request`: one transaction, committed before the first byte of the answer leaves, and rolled back
 * on an error, on a status of 400 and above, or when the client goes away. Do not use it after the answer has begun.
 *
 * @throws KeelsonError HTTP_SESSION_MISSING for a route with `session: 'none'` or a service without a database.
 */
export function currentSession(request: IncomingMessage): EntityManager {
  const session = (request as WithSession)[key];
  if (session === undefined) throw missing();
  return session.em;
}

function missing(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_SESSION_MISSING',
    message: 'The request has no database session.',
    hint: "Give the service a database plugin, and mount the route without `session: 'none'`.",
  });
}
