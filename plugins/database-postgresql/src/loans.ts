import type { Clock, Logger, Timer } from '@keelson/core';
import type { PgClient } from './pg-internals.js';

export interface LoansOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** A loan that takes longer is reported, in ms. */
  readonly leakAfterMs: number;
  /** `sample`: one in 100 remembers where it was borrowed, and each one after the first leak. */
  readonly traceLoans: 'sample' | 'all';
}

interface Loan {
  readonly since: number;
  /** When it counts as a leak. */
  readonly dueAt: number;
  /** Where it was borrowed. */
  readonly trace: Error | undefined;
  readonly destroy: (reason: unknown) => void;
  isLeak: boolean;
}

/** The connections that are out. One timer finds the leaks among all of them. */
export class Loans {
  readonly #options: LoansOptions;
  /** Of each connection. Undefined for one that is back: entries that come and go cost more than ones that stay. */
  readonly #loans = new Map<PgClient, Loan | undefined>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #count = 0;
  #leaked = 0;

  constructor(options: LoansOptions) {
    this.#options = options;
  }

  /** `lentForMs` is how long the borrower has said that it needs it. */
  begin(client: PgClient, lentForMs: number, destroy: (reason: unknown) => void): void {
    const { clock, leakAfterMs } = this.#options;
    const since = clock.now();
    const dueAt = since + Math.max(leakAfterMs, lentForMs);
    const trace = this.#isTraced() ? traceOfBorrower() : undefined;
    this.#loans.set(client, { since, dueAt, trace, destroy, isLeak: false });
    if (dueAt < this.#timerAt) this.#schedule(dueAt);
  }

  end(client: PgClient): void {
    const loan = this.#loans.get(client);
    this.#loans.set(client, undefined);
    if (loan?.isLeak !== true) return;
    this.#options.logger.info('a connection that was lent for very long is back', { heldMs: this.#heldMs(loan) });
  }

  /** The connection is gone. */
  forget(client: PgClient): void {
    this.#loans.delete(client);
  }

  /** Of those that are out, in ms. */
  get longestHeldMs(): number {
    return Math.max(0, ...this.#out.map(loan => this.#heldMs(loan)));
  }

  /** How many have been reported. */
  get leaked(): number {
    return this.#leaked;
  }

  destroyAll(reason: unknown): void {
    for (const { destroy } of this.#out) destroy(reason);
  }

  close(): void {
    this.#timer?.cancel();
  }

  get #out(): readonly Loan[] {
    return [...this.#loans.values()].filter(loan => loan !== undefined);
  }

  #schedule(at: number): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = clock.schedule(Math.max(0, at - clock.now()), () => this.#report());
  }

  #report(): void {
    const { clock, logger } = this.#options;
    const now = clock.now();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    for (const loan of this.#out) {
      if (loan.isLeak) continue;
      if (loan.dueAt > now) {
        if (loan.dueAt < this.#timerAt) this.#schedule(loan.dueAt);
        continue;
      }
      loan.isLeak = true;
      this.#leaked += 1;
      const borrowedAt = loan.trace?.stack ?? 'not traced; later loans are';
      logger.warn('a connection is lent for very long', { heldMs: this.#heldMs(loan), borrowedAt });
    }
  }

  /** A trace costs more than the rest of a loan. */
  #isTraced(): boolean {
    this.#count += 1;
    return this.#leaked > 0 || this.#options.traceLoans === 'all' || this.#count % tracedLoans === 1;
  }

  #heldMs({ since }: Loan): number {
    return Math.round(this.#options.clock.now() - since);
  }
}

const tracedLoans = 100;

/** Deep enough to reach the code of the service behind Kysely and MikroORM. The text is only made when it is read. */
function traceOfBorrower(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const trace = new Error('borrowed here');
  Error.stackTraceLimit = limit;
  return trace;
}
