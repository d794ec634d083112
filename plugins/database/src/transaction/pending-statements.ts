import type { Statement } from '../driver/driver.js';

interface Pending extends Statement {
  /** BEGIN, or a limit that is set with it. */
  readonly begins?: boolean;
  readonly savepoint?: string;
  /** By which the transaction is looked up once this was done. */
  readonly commitKey?: string;
}

/**
 * Commands not sent yet: BEGIN, settings and savepoints wait here and ride with the next statement.
 * A savepoint that is taken back before then is never sent.
 */
export class PendingStatements {
  #waiting: readonly Pending[] = [];
  #mark: Pending | undefined;

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
    this.#forgetMark();
  }

  /** The key of the mark that waits. */
  get commitKey(): string | undefined {
    return this.#mark?.commitKey;
  }

  add(sql: string): void {
    this.#waiting = [...this.#waiting, { sql, recurs: true, begins: true }];
  }

  addStatement(statement: Statement): void {
    this.#waiting = [...this.#waiting, statement];
  }

  /** Waits right behind BEGIN: no savepoint takes it back, and no other role than that of the connection does it. */
  addMark(mark: Statement, commitKey: string): void {
    const rest = this.#waiting.findIndex(({ begins }) => begins !== true);
    const at = rest === -1 ? this.#waiting.length : rest;
    this.#mark = { ...mark, commitKey };
    this.#waiting = this.#waiting.toSpliced(at, 0, this.#mark);
  }

  addSavepoint(name: string): void {
    this.#waiting = [...this.#waiting, { sql: `savepoint ${name}`, savepoint: name, readAlone: true }];
  }

  /** The server has done the first `count`. */
  done(count: number): void {
    this.#waiting = this.#waiting.slice(count);
    this.#forgetMark();
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

  /** Once it does not wait any more. */
  #forgetMark(): void {
    if (this.#mark !== undefined && !this.#waiting.includes(this.#mark)) this.#mark = undefined;
  }
}
