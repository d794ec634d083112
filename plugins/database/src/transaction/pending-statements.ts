import type { Statement } from '../driver/driver.js';

interface Pending extends Statement {
  readonly savepoint?: string;
}

/**
 * Commands not sent yet: BEGIN, settings and savepoints wait here and ride with the next statement.
 * A savepoint that is taken back before then is never sent.
 */
export class PendingStatements {
  #waiting: readonly Pending[] = [];

  get statements(): readonly Statement[] {
    return this.#waiting;
  }

  get length(): number {
    return this.#waiting.length;
  }

  get hasSavepoint(): boolean {
    return this.#waiting.some(({ savepoint }) => savepoint !== undefined);
  }

  /** The same list at another time; `restore` brings it back. */
  snapshot(): readonly Statement[] {
    return this.#waiting;
  }

  restore(snapshot: readonly Statement[]): void {
    this.#waiting = [...snapshot];
  }

  add(sql: string): void {
    this.addStatement({ sql, recurs: true });
  }

  addStatement(statement: Statement): void {
    this.#waiting = [...this.#waiting, statement];
  }

  addSavepoint(name: string): void {
    this.#waiting = [...this.#waiting, { sql: `savepoint ${name}`, savepoint: name, readAlone: true }];
  }

  /** The server has done the first `count`. */
  done(count: number): void {
    this.#waiting = this.#waiting.slice(count);
  }

  /** The savepoint still waits, so nothing has run since. */
  has(name: string): boolean {
    return this.#waiting.some(pending => pending.savepoint === name);
  }

  /** Forgets the savepoint, when it still waits. Those after it may be of other flows. */
  takeBack(name: string): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter(pending => pending.savepoint !== name);
    return this.#waiting.length < before;
  }
}
