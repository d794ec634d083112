import type { Clock, Deadline, Logger } from '@keelson/core';
import { assertAble } from '../driver/assert-able.js';
import type { DatabaseDriver, TransactionOutcome } from '../driver/driver.js';
import type { DatabaseCapability } from '../driver/engine.js';
import type { CommitProofChoice, CommitProofName } from './choices.js';
import { type CommitMark, type CommitProof, noProof, TransactionIdProof } from './commit-proof.js';
import { TokenProof } from './token-proof.js';

export interface ChosenProofParts {
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly choice: CommitProofChoice;
  readonly tokens: { readonly tableName: string; readonly keepMs: number; readonly cleanEveryMs: number };
}

/** The proof that the configuration asks for; `auto` is decided when the driver knows what it is connected to. */
export class ChosenProof implements CommitProof {
  readonly #parts: ChosenProofParts;
  #proof: CommitProof = noProof;

  constructor(parts: ChosenProofParts) {
    this.#parts = parts;
  }

  get name(): CommitProofName {
    return this.#proof.name;
  }

  get isWhole(): boolean {
    return this.#proof.isWhole;
  }

  /**
   * To be called once the driver is connected. With `asIs` no table is made, and no token written.
   *
   * @throws UnsupportedError, CommitTokenError when the proof that was asked for cannot be had.
   */
  async prepare(deadline: Deadline, signal: AbortSignal, { asIs }: { readonly asIs: boolean }): Promise<void> {
    const { driver, clock, logger, choice, tokens } = this.#parts;
    if (choice === 'transaction-id') assertAble(driver, 'commit-lookup');
    const name = proofOf(choice, driver.capabilities);
    if (name === this.name || (asIs && name === 'token')) return;
    if (name === 'token') {
      const proof = new TokenProof({ driver, clock, logger, ...tokens });
      await proof.prepare(deadline, signal);
      this.#proof = proof;
    } else this.#proof = name === 'none' ? noProof : new TransactionIdProof(driver);
  }

  mark(): CommitMark | undefined {
    return this.#proof.mark();
  }

  outcome(key: string, signal: AbortSignal, askedForMs: number): Promise<TransactionOutcome> {
    return this.#proof.outcome(key, signal, askedForMs);
  }

  stop(): void {
    if (this.#proof instanceof TokenProof) this.#proof.stop();
  }
}

/** What `auto` means for a database that can do this. */
export function proofOf(choice: CommitProofChoice, capabilities: ReadonlySet<DatabaseCapability>): CommitProofName {
  if (choice !== 'auto') return choice;
  if (capabilities.has('commit-lookup') && capabilities.has('write-implies-id')) return 'transaction-id';
  // An embedded database has no network on which an answer could be lost.
  return capabilities.has('multi-connection') ? 'token' : 'none';
}
