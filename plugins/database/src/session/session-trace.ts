import { type Attributes, type Clock, errorKindOf, noteFacts, type OpenSpan, type Telemetry } from '@keelson/core';
import type { BatchOutcome, DatabaseDriver } from '../driver/driver.js';
import { faultFacts } from '../errors/connection-error.js';
import { sqlStateOf } from '../errors/sql-state.js';
import { translate } from '../errors/translate.js';
import type { ShapeOf } from '../statements/statement-shape.js';
import type { Outcome } from '../transaction/outcome.js';
import type { StatementTracer } from '../transaction/statement-tracer.js';
import { summaryOf } from './statement-summary.js';

/** Spans of statements in one attempt; what comes after them is counted. */
const mostStatements = 100;

export interface SessionTraceParts {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly driver: Pick<DatabaseDriver, 'databaseName' | 'servers' | 'hosts'>;
  /** Whether each statement has a span of its own. */
  readonly tracesStatements: boolean;
  /** Without values; the span of a statement names its shape. */
  readonly shapeOf: ShapeOf;
}

/**
 * The spans of one session: `db.session`, in it one `db.attempt` for each attempt, and in that one for each statement. A
 * span is `ok` only when the commit is certain.
 */
export class SessionTrace implements StatementTracer {
  readonly #parts: SessionTraceParts;
  readonly #name: string;
  readonly #startedAt: number;
  readonly #place: Attributes;
  readonly #session: OpenSpan;
  #attempt: OpenSpan | undefined;
  #attemptStartedAt: number;
  #attempts = 0;
  #statements = 0;
  /** Of the last statement that failed. */
  #failedBy: string | undefined;

  /** Undefined for silent telemetry: then nothing is made. */
  static of(parts: SessionTraceParts, name: string): SessionTrace | undefined {
    return parts.telemetry.enabled ? new SessionTrace(parts, name) : undefined;
  }

  private constructor(parts: SessionTraceParts, name: string) {
    this.#parts = parts;
    this.#name = name;
    this.#startedAt = parts.clock.now();
    this.#attemptStartedAt = this.#startedAt;
    this.#place = placeOf(parts.driver);
    this.#session = parts.telemetry.startSpan({
      name: 'db.session',
      operation: 'db.session',
      attributes: this.#attributes(),
    });
  }

  run<T>(work: () => T): T {
    return this.#session.run(work);
  }

  runAttempt<T>(work: () => T): T {
    return this.#attempt === undefined ? work() : this.#attempt.run(work);
  }

  /** The next attempt begins; one that has not ended does. */
  beginAttempt(number: number): void {
    this.#attempt?.end();
    this.#attempts = number;
    this.#statements = 0;
    this.#failedBy = undefined;
    this.#attemptStartedAt = this.#parts.clock.now();
    this.#attempt = this.#parts.telemetry.startSpan({
      name: 'db.attempt',
      operation: 'db.attempt',
      parent: this.#session,
      attributes: { ...this.#attributes(), 'db.attempt': number, 'db.retry_count': number - 1 },
    });
  }

  named(sessionId: string): void {
    this.#session.setAttribute('keelson.session.id', sessionId);
    this.#attempt?.setAttribute('keelson.session.id', sessionId);
  }

  /** The attempt failed, and another one follows after `delayMs`. */
  retrying({ attempt, delayMs, error }: { attempt: number; delayMs: number; error: unknown }): void {
    this.#parts.telemetry.breadcrumb({
      category: 'database.retry',
      message: 'a session is tried again',
      level: 'warn',
      facts: {
        session: this.#name,
        attempt,
        delayMs: Math.round(delayMs),
        kind: errorKindOf(translate(error)),
        ...faultFacts(error),
      },
    });
    this.attemptFailed(error);
  }

  /** The attempt failed, and another one may follow. */
  attemptFailed(error: unknown): void {
    this.#attempt?.setStatus('error', errorKindOf(translate(error)));
    this.#endAttempt();
  }

  attemptEnded(outcome: Outcome): void {
    if (this.#attempt !== undefined) settle(this.#attempt, outcome, this.#failedBy);
    this.#endAttempt();
  }

  /** It has ended as its only session has. */
  endWith(outcome: Outcome): void {
    this.attemptEnded(outcome);
    this.#note(errorIn(outcome));
    settle(this.#session, outcome, this.#failedBy);
    this.#end();
  }

  /** It has ended for its caller, who gets a result or `failure`. */
  end(failure?: { readonly error: unknown }): void {
    if (failure !== undefined) {
      this.#note(failure.error);
      const kind = errorKindOf(failure.error);
      this.#session.setStatus('error', kind);
      this.#attempt?.setStatus('error', kind);
    } else this.#session.setStatus('ok');
    this.#endAttempt();
    this.#end();
  }

  beginStatement(sql: string): OpenSpan | undefined {
    const attempt = this.#attempt;
    this.#statements += 1;
    if (!this.#parts.tracesStatements || attempt?.isRecording !== true || this.#statements > mostStatements) {
      return undefined;
    }
    const { command, table, text } = summaryOf(sql);
    return this.#parts.telemetry.startSpan({
      name: text,
      operation: 'db.query',
      kind: 'client',
      parent: attempt,
      attributes: {
        ...this.#place,
        'db.operation.name': command,
        'db.query.summary': text,
        'keelson.statement.shape': this.#parts.shapeOf(sql).id,
        ...(table !== undefined && { 'db.collection.name': table }),
      },
    });
  }

  endStatement(span: OpenSpan | undefined, { failure }: BatchOutcome, rowCount?: number): void {
    if (failure !== undefined) {
      this.#note(failure.error);
      this.#failedBy = errorKindOf(translate(failure.error));
      span?.setStatus('error', this.#failedBy);
      const state = sqlStateOf(failure.error);
      if (state !== undefined) span?.setAttribute('db.response.status_code', state);
    } else span?.setStatus('ok');
    if (rowCount !== undefined) span?.setAttribute('db.response.returned_rows', rowCount);
    span?.end();
  }

  /** Every report of the error has this as well. */
  #note(error: unknown): void {
    noteFacts(error, { session: this.#name, attempts: this.#attempts, ...faultFacts(error) });
  }

  #end(): void {
    this.#session.setAttribute('db.retry_count', Math.max(0, this.#attempts - 1));
    this.#session.setAttribute('db.duration_ms', this.#since(this.#startedAt));
    this.#session.end();
  }

  #endAttempt(): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    attempt.setAttribute('db.duration_ms', this.#since(this.#attemptStartedAt));
    attempt.setAttribute('db.statement_count', this.#statements);
    attempt.end();
  }

  #since(startedAt: number): number {
    return Math.round((this.#parts.clock.now() - startedAt) * 100) / 100;
  }

  #attributes(): Attributes {
    return { 'db.service': 'DatabaseService', 'db.operation': this.#name, ...this.#place };
  }
}

/** Rolled back by its own choice is neither: nothing failed, and nothing is stored. */
function settle(span: OpenSpan, outcome: Outcome, failedBy: string | undefined): void {
  const kind = kindOf(outcome) ?? failedBy;
  if (outcome.is === 'committed') span.setStatus('ok');
  else if (kind !== undefined) span.setStatus('error', kind);
  else span.setAttribute('db.outcome', 'rolled back');
}

function errorIn(outcome: Outcome): unknown {
  if (outcome.is === 'unknown' || outcome.is === 'ended by hand') return outcome.error;
  const isOver = outcome.is === 'rolling back' || outcome.is === 'rolled back';
  return isOver ? outcome.failure?.error : undefined;
}

function kindOf(outcome: Outcome): string | undefined {
  switch (outcome.is) {
    case 'unknown':
    case 'ended by hand':
      return errorKindOf(outcome.error);
    case 'in doubt':
    case 'committing':
      return 'DATABASE_AMBIGUOUS_COMMIT';
    case 'rolling back':
    case 'rolled back':
      return outcome.failure === undefined ? ended(outcome) : errorKindOf(outcome.failure.error);
    default:
      return ended(outcome);
  }
}

function ended({ abortedBy }: Outcome): string | undefined {
  return abortedBy === undefined ? undefined : errorKindOf(abortedBy);
}

/** The attributes of OpenTelemetry that name a database; neither a user nor a password. */
function placeOf({ databaseName, servers, hosts }: SessionTraceParts['driver']): Attributes {
  const database = { 'db.system.name': 'postgresql', 'db.namespace': databaseName };
  const several = servers !== undefined && servers.length > 1;
  const primary = several
    ? hosts?.().find(({ role, state }) => role === 'primary' && state !== 'away')?.host
    : undefined;
  const server = primary ?? servers?.[0];
  if (server === undefined) return database;
  const [, address = server, port] = /^(.*):(\d+)$/.exec(server) ?? [];
  return { ...database, 'server.address': address, ...(port !== undefined && { 'server.port': Number(port) }) };
}
