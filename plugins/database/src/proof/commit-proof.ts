import type { DatabaseDriver, Statement, TransactionOutcome } from '../driver/driver.js';
import type { CommitProofName } from './choices.js';

/** What a transaction sends so that its outcome can be looked up. */
export interface CommitMark {
  readonly statement: Statement;
  /** By which the transaction is looked up. Left out: the answer has it, one row with the column `id`. */
  readonly key?: string;
}

/** How the outcome of a COMMIT that was not answered is found. */
export interface CommitProof {
  readonly name: CommitProofName;
  /** All that a transaction stores is stored with its mark. False where another server commits its part before. */
  readonly isWhole: boolean;
  /** The mark of one more transaction that may write; undefined where there is none. */
  mark(): CommitMark | undefined;
  /**
   * What became of the transaction with this key, for which was asked since `askedForMs`. Rejects when the server cannot
   * tell now.
   */
  outcome(key: string, signal: AbortSignal, askedForMs: number): Promise<TransactionOutcome>;
}

/** Asks the server by the id that it has given the transaction. */
export class TransactionIdProof implements CommitProof {
  readonly name = 'transaction-id';
  readonly #driver: DatabaseDriver;
  #mark: CommitMark | undefined;

  constructor(driver: DatabaseDriver) {
    this.#driver = driver;
  }

  get isWhole(): boolean {
    return this.#driver.capabilities.has('write-implies-id');
  }

  /** The same object for as long as the driver has the same probe. */
  mark(): CommitMark | undefined {
    const probe = this.#driver.transactionIdProbe;
    if (this.#mark?.statement !== probe) this.#mark = probe && { statement: probe };
    return this.#mark;
  }

  outcome(key: string, signal: AbortSignal): Promise<TransactionOutcome> {
    return this.#driver.transactionOutcome(key, signal);
  }
}

/** Asks no server. */
export const noProof: CommitProof = {
  name: 'none',
  isWhole: false,
  mark: () => undefined,
  outcome: async () => 'unknown',
};
