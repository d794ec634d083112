import type { Logger } from '@keelson/core';
import type { RepeatCounter, StatementEvent, StatementObserver } from '../transaction/statement-observer.js';
import { NotedStatements } from './noted-statements.js';
import type { StatementShape } from './statement-shape.js';

/** One statement that has ended, without its values. */
export interface StatementReport {
  readonly shape: StatementShape;
  /** The name of its session. */
  readonly session: string;
  /** `INSERT`; empty for one that failed. */
  readonly command: string;
  readonly rowCount: number | undefined;
  readonly durationMs: number;
  readonly failed: boolean;
}

export interface StatementLogOptions {
  readonly slowStatements: { readonly thresholdMs: number } | false;
  readonly repeatedStatements: { readonly moreThan: number } | false;
  /** Whether repeated statements are counted alone, and have no line. */
  readonly isProduction: boolean;
  /** Called when a session has run one statement too often. */
  readonly onRepeated: (session: string) => void;
}

/** Statements at debug, slow ones and repeated ones as warnings with their shape. Never a text as it was sent, never a value. */
export class StatementLog implements StatementObserver {
  readonly noted = new NotedStatements();
  readonly countRepeats?: (session: string) => RepeatCounter;
  readonly #logger: Logger;
  readonly #slowMs: number;
  readonly #options: StatementLogOptions;
  readonly #listeners = new Set<(report: StatementReport) => void>();

  constructor(logger: Logger, options: StatementLogOptions) {
    const { slowStatements, repeatedStatements } = options;
    this.#logger = logger;
    this.#options = options;
    this.#slowMs = slowStatements === false ? Number.POSITIVE_INFINITY : slowStatements.thresholdMs;
    if (repeatedStatements === false) return;
    const { moreThan } = repeatedStatements;
    this.countRepeats = session => new Repeats(this.noted, moreThan, sql => this.#repeated(sql, session, moreThan));
  }

  /** Calls `listener` after each statement. Disposing of the result ends that. */
  listen(listener: (report: StatementReport) => void): Disposable {
    const own = (report: StatementReport) => listener(report);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  statement(event: StatementEvent): void {
    if (this.#listeners.size > 0) this.#report(event);
    const slow = event.durationMs >= this.#slowMs;
    if (slow) this.#slow(event);
    else if (this.#logger.isEnabled('debug')) this.#logger.debug('statement', factsOf(event));
  }

  #slow(event: StatementEvent): void {
    const { sql, session, durationMs } = event;
    if (sql === undefined) {
      this.#logger.warn('slow statement', factsOf(event));
      return;
    }
    const { shape, slow } = this.noted.slow(sql, session, durationMs);
    this.#logger.warn('slow statement', {
      ...factsOf(event),
      shape: shape.id,
      statement: shape.text,
      slowSoFar: slow,
    });
  }

  /** Once for each shape and session name: the code that does it is one place. */
  #repeated(sql: string, session: string, moreThan: number): void {
    const { isProduction, onRepeated } = this.#options;
    const { shape, sessions } = this.noted.repeated(sql, session);
    onRepeated(session);
    if (isProduction || (sessions.get(session) ?? 0) > 1) return;
    this.#logger.warn('a statement repeats in one session: load its rows with fewer statements', {
      session,
      shape: shape.id,
      statement: shape.text,
      moreThan,
    });
  }

  #report({ sql, ...event }: StatementEvent): void {
    if (sql === undefined) return;
    const report = { ...event, shape: this.noted.shapeOf(sql) };
    for (const listener of this.#listeners) listener(report);
  }
}

class Repeats implements RepeatCounter {
  readonly #counts = new Map<string, number>();
  readonly #noted: NotedStatements;
  readonly #moreThan: number;
  readonly #onTooMany: (sql: string) => void;

  constructor(noted: NotedStatements, moreThan: number, onTooMany: (sql: string) => void) {
    this.#noted = noted;
    this.#moreThan = moreThan;
    this.#onTooMany = onTooMany;
  }

  add(sql: string): void {
    const { id } = this.#noted.shapeOf(sql);
    const count = (this.#counts.get(id) ?? 0) + 1;
    this.#counts.set(id, count);
    if (count === this.#moreThan + 1) this.#onTooMany(sql);
  }
}

function factsOf({ command, rowCount, durationMs, failed, session }: StatementEvent) {
  return { command, rowCount, durationMs: Math.round(durationMs), failed, session };
}
