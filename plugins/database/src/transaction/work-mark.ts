import type { Savepoints } from './savepoints.js';
import type { UnitOutcome } from './unit-outcome.js';

/** Work of one transaction, up to the statement that was sent last when it ended. */
export class WorkMark {
  readonly #outcome: UnitOutcome;
  readonly #savepoints: Savepoints;
  /** Of two marks with no savepoint between them, both are undone or neither. */
  readonly #after: number;
  #until = Number.POSITIVE_INFINITY;

  constructor(outcome: UnitOutcome, savepoints: Savepoints) {
    this.#outcome = outcome;
    this.#savepoints = savepoints;
    this.#after = savepoints.made;
  }

  /** The work has ended, for now. */
  end(): void {
    this.#until = this.#savepoints.sent;
  }

  /** Nothing of it is stored, or ever will be. */
  get isUndone(): boolean {
    const { is } = this.#outcome.now;
    return is === 'rolling back' || is === 'rolled back' || is === 'cut short' || this.isTakenBack;
  }

  /** A savepoint has undone it; the transaction goes on. */
  get isTakenBack(): boolean {
    return this.#savepoints.isUndone(this.#until);
  }

  sharesFateWith(other: WorkMark): boolean {
    return this.#savepoints === other.#savepoints && this.#after === other.#after;
  }

  isPartOfSame(other: WorkMark): boolean {
    return this.#savepoints === other.#savepoints;
  }
}
