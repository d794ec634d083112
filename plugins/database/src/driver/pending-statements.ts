import type { Statement } from './driver.js';

interface Pending {
  readonly sql: string;
  readonly savepoint?: string;
}

/**
 * What the server has not been told yet: BEGIN, settings and savepoints wait here and ride with the next statement.
 * A savepoint that is taken back before then is never sent.
 */
export class PendingStatements {
  #waiting: Pending[] = [];

  get statements(): readonly Statement[] {
    return this.#waiting;
  }

  get length(): number {
    return this.#waiting.length;
  }

  add(sql: string): void {
    this.#waiting.push({ sql });
  }

  addSavepoint(name: string): void {
    this.#waiting.push({ sql: `savepoint ${name}`, savepoint: name });
  }

  /** The server has done the first `count`. */
  done(count: number): void {
    this.#waiting = this.#waiting.slice(count);
  }

  /** Forgets the savepoint and all after it, when it still waits; `keep` leaves the savepoint itself. */
  takeBack(name: string, keep: boolean): boolean {
    const index = this.#waiting.findLastIndex(pending => pending.savepoint === name);
    if (index === -1) return false;
    this.#waiting.length = keep ? index + 1 : index;
    return true;
  }
}
