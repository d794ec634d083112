import { type Facts, isKeelsonError, KeelsonError } from '@keelson/core';
import type { PoolStats } from '../driver/driver.js';
import type { DatabaseErrorCode } from '../error-codes.js';
import { type ConnectFailure, connectFailureOf } from './connect-failure.js';
import { sqlStateOf, systemCodeOf } from './sql-state.js';

export interface ConnectionErrorOptions {
  readonly code: DatabaseErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
}

/**
 * The database could not be reached, or not in time. Retried where that is safe; over HTTP a 503 with
 * `Retry-After`. Nothing of the unit that failed is stored.
 */
export class ConnectionError extends KeelsonError {
  constructor(options: ConnectionErrorOptions) {
    super({
      ...options,
      http: {
        status: 503,
        title: 'Service Unavailable',
        detail: 'The database cannot be reached at the moment.',
        retryAfterMs: options.retryAfterMs ?? 1_000,
      },
    });
  }
}

type PoolNumbers = Omit<PoolStats, 'counters'>;

interface AcquireFacts extends PoolNumbers {
  readonly waitedMs: number;
  readonly longestHeldMs?: number;
  /** How much of it was spent to open a connection, which was not open in time. */
  readonly openingMs?: number;
}

/** No connection came free in time. */
export class AcquireTimeoutError extends ConnectionError {
  constructor(facts: AcquireFacts, cause?: unknown) {
    super({
      code: 'DATABASE_ACQUIRE_TIMEOUT',
      message:
        `No connection became free within ${Math.round(facts.waitedMs)} ms ` +
        `(total=${facts.total}, busy=${facts.busy}, idle=${facts.idle}, waiting=${facts.waiting}, max=${facts.max}).`,
      hint:
        (facts.openingMs ?? 0) * 2 > facts.waitedMs
          ? 'Too little time was left to open a connection. Look for what the caller waited for before.'
          : 'Before you raise pool.max, look for a session that waits for something slow.',
      facts: { ...facts, ...(cause !== undefined && { lastFailure: labelOf(cause) }) },
      cause: causeOf(cause),
    });
  }
}

/** The waiting queue is full: refused at once. */
export class OverloadedError extends ConnectionError {
  constructor(facts: PoolNumbers & { readonly maxWaiting: number }) {
    super({
      code: 'DATABASE_OVERLOADED',
      message: `All ${facts.max} connections are busy, and the queue is full: ${facts.waiting} callers wait.`,
      hint: 'More sessions arrive than the database can serve. Shed load, or look for slow sessions.',
      facts: { ...facts },
    });
  }
}

/** The connection was lost, or none could be opened, and the unit was not done. */
export class ConnectionLostError extends ConnectionError {
  constructor(cause: unknown, more: Facts = {}) {
    super({
      code: 'DATABASE_CONNECTION_LOST',
      message: lossOf(cause),
      hint: 'Check the database server and the network; the service reconnects by itself.',
      facts: { ...faultFacts(cause), ...lostStatementOf(cause), ...more },
      cause: causeOf(cause),
    });
  }
}

function lossOf(cause: unknown): string {
  const lost = lostStatementOf(cause);
  if (lost === undefined) return `The connection to the database was lost (${labelOf(cause)}).`;
  return `A statement or its answer was lost on the way: after ${lost.silentMs} ms without a byte the server did not work on it (backend ${lost.backend}).`;
}

/** No connection can be had until a person has mended why. */
export class ConnectRefusedError extends ConnectionError {
  constructor(failure: ConnectFailure, cause: unknown, more: Facts = {}) {
    super({
      code: 'DATABASE_CONNECT_FAILED',
      message: `The database ${failure.says} (${labelOf(cause)}).`,
      hint: failure.hint,
      facts: { ...kindFacts(failure), ...faultFacts(cause), ...more },
      cause: causeOf(cause),
    });
  }
}

export class DatabaseClosedError extends ConnectionError {
  constructor() {
    super({
      code: 'DATABASE_CLOSED',
      message: 'The database service is closed; it lends no more connections.',
      hint: 'Finish work that needs the database in `drain`: the database closes after that phase.',
    });
  }
}

/** A session was asked for before the service had connected; `state` says how far it is. */
export function notConnected(state: string): ConnectionError {
  return new ConnectionError({
    code: 'DATABASE_NOT_CONNECTED',
    message: `The database service is ${state}; sessions need it connected.`,
    hint: 'Await database.connect() first. In a plugin, list DatabaseService in requires: it is then connected before start.',
    facts: { state },
  });
}

/** SQLSTATE or system code of a fault: `57P01`, `ECONNREFUSED`; of one of our own errors its sentence. */
export function labelOf(error: unknown): string {
  if (isKeelsonError(error)) return error.message.replace(/\.$/, '');
  return sqlStateOf(error) ?? systemCodeOf(error) ?? connectFailureOf(error)?.code ?? 'no further reason given';
}

/** What the server said of a statement that it did not work on; a driver leaves it on its error as `lostStatement`. */
function lostStatementOf(error: unknown): { silentMs: number; backend: string } | undefined {
  const lost: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'lostStatement') : undefined;
  if (typeof lost !== 'object' || lost === null || !('silentMs' in lost && 'backend' in lost)) return undefined;
  const { silentMs, backend } = lost;
  return typeof silentMs === 'number' && typeof backend === 'string' ? { silentMs, backend } : undefined;
}

/** `{ kind }` of a failure to connect. */
export function kindFacts(failure: ConnectFailure | undefined): Facts {
  return failure === undefined ? {} : { kind: failure.kind };
}

/** `{ sqlState, systemCode }`, as far as the error, or the one it was translated from, has them. */
export function faultFacts(error: unknown): { sqlState?: string; systemCode?: string } {
  const { sqlState, systemCode } = isKeelsonError(error)
    ? error.facts
    : { sqlState: sqlStateOf(error), systemCode: systemCodeOf(error) };
  return {
    ...(typeof sqlState === 'string' && { sqlState }),
    ...(typeof systemCode === 'string' && { systemCode }),
  };
}

/** What may stand as a cause: an error of the driver can carry SQL text and values, so only its names come along. */
export class DatabaseFault extends Error {
  readonly code: string | undefined;
  readonly severity: string | undefined;

  constructor(error: unknown) {
    super(`database fault ${labelOf(error)}`);
    this.name = 'DatabaseFault';
    this.code = sqlStateOf(error) ?? systemCodeOf(error) ?? connectFailureOf(error)?.code;
    const severity = typeof error === 'object' && error !== null ? Reflect.get(error, 'severity') : undefined;
    this.severity = typeof severity === 'string' ? severity : undefined;
    const stack = error instanceof Error ? error.stack : undefined;
    const frames = stack?.split('\n').filter(line => line.trimStart().startsWith('at '));
    if (frames !== undefined) this.stack = [`${this.name}: ${this.message}`, ...frames].join('\n');
  }
}

export function causeOf(error: unknown): unknown {
  return error === undefined || isKeelsonError(error) || error instanceof DatabaseFault
    ? error
    : new DatabaseFault(error);
}
