import { setImmediate } from 'node:timers/promises';
import { TransactionByHandError } from '../errors/session-errors.js';
import { isWorking } from './outcome.js';
import type { UnitOutcome } from './unit-outcome.js';

/** Ends the transaction for its owner. */
export interface Endable {
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** Only the owner of a transaction ends it: an end that MikroORM or a statement asks for in between is an error. */
export class OwnedEnding {
  readonly #transaction: Endable;
  readonly #outcome: UnitOutcome;
  #beforeCommit: (() => Promise<void>) | undefined;

  constructor(transaction: Endable, outcome: UnitOutcome) {
    this.#transaction = transaction;
    this.#outcome = outcome;
  }

  /** From now on MikroORM may commit: the owner asks for that. `beforeCommit` is the last that runs in the transaction. */
  letCommit(beforeCommit: () => Promise<void>): void {
    this.#beforeCommit = beforeCommit;
  }

  /** MikroORM commits: for the owner, or past it. */
  async commitForOrm(): Promise<void> {
    if (this.#beforeCommit === undefined && isWorking(this.#outcome.now)) await this.refuse('em.commit()');
    await this.#beforeCommit?.();
    await this.#transaction.commit();
  }

  /** MikroORM rolls back: for the owner, who has noted that it is over, or past it. */
  async rollbackForOrm(): Promise<void> {
    if (isWorking(this.#outcome.now)) await this.refuse('em.rollback()').finally(() => this.#transaction.rollback());
    await this.#transaction.rollback();
  }

  /**
   * Notes that work of the session tried to end the transaction with `by`. The error names its place by who waits for it,
   * and V8 knows them only when all have begun to wait.
   *
   * @throws TransactionByHandError always.
   */
  async refuse(by: string): Promise<never> {
    await setImmediate();
    const error = new TransactionByHandError({ by, stored: 'nothing' });
    this.#outcome.move({ it: 'was ended by hand', error, stored: false });
    throw error;
  }
}
