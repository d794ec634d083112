import type { Clock } from '@keelson/core';
import type { DiscardReason } from '@keelson/database';
import type { PgClient } from './pg-internals.js';
import type { PreparedStatements } from './prepared-statements.js';

export interface ClientHistoriesOptions {
  readonly clock: Clock;
  readonly maxLifetimeMs: number;
  /** One that has been idle for longer is asked whether it works. */
  readonly pingAfterIdleMs: number;
  readonly random?: (() => number) | undefined;
}

interface History {
  readonly generation: number;
  readonly openedAt: number;
  readonly expiresAt: number;
  readonly prepared: PreparedStatements;
  usedAt: number;
  isLost: boolean;
}

/** What is remembered of each client of a pool, and whether it may be lent again. */
export class ClientHistories {
  readonly #options: ClientHistoriesOptions;
  readonly #histories = new WeakMap<PgClient, History>();
  #generation = 0;

  constructor(options: ClientHistoriesOptions) {
    this.#options = options;
  }

  /** Up to a tenth younger than the others at its end, so that they do not all end at once. */
  begin(client: PgClient, prepared: PreparedStatements): void {
    const { clock, maxLifetimeMs, random = Math.random } = this.#options;
    const now = clock.now();
    this.#histories.set(client, {
      generation: this.#generation,
      openedAt: now,
      expiresAt: now + maxLifetimeMs * (1 - random() * 0.1),
      prepared,
      usedAt: now,
      isLost: false,
    });
  }

  /** Undefined when the client is not of this pool. */
  openedAt(client: PgClient): number | undefined {
    return this.#histories.get(client)?.openedAt;
  }

  preparedOf(client: PgClient): PreparedStatements | undefined {
    return this.#histories.get(client)?.prepared;
  }

  noteUse(client: PgClient): void {
    const history = this.#histories.get(client);
    if (history !== undefined) history.usedAt = this.#options.clock.now();
  }

  noteLoss(client: PgClient): void {
    const history = this.#histories.get(client);
    if (history !== undefined) history.isLost = true;
  }

  /** None of those that have begun until now is lent again. */
  invalidate(): void {
    this.#generation += 1;
  }

  faultOf(client: PgClient): DiscardReason | undefined {
    const history = this.#histories.get(client);
    if (history === undefined || history.generation !== this.#generation) return 'invalidated';
    if (history.isLost) return 'lost';
    return this.#options.clock.now() >= history.expiresAt ? 'expired' : undefined;
  }

  isToBePinged(client: PgClient): boolean {
    const { clock, pingAfterIdleMs } = this.#options;
    const now = clock.now();
    return now - (this.#histories.get(client)?.usedAt ?? now) > pingAfterIdleMs;
  }
}
