import type { Logger } from '@keelson/core';
import type { StatementEvent, StatementObserver } from './transaction/statement-observer.js';

/** Statements at debug, slow ones as warnings: the command and its numbers, never its text. */
export class StatementLog implements StatementObserver {
  readonly #logger: Logger;
  readonly #slowMs: number;

  constructor(logger: Logger, slowMs: number) {
    this.#logger = logger;
    this.#slowMs = slowMs;
  }

  statement(event: StatementEvent): void {
    const slow = event.durationMs >= this.#slowMs;
    if (!slow && !this.#logger.isEnabled('debug')) return;
    const facts = { ...event, durationMs: Math.round(event.durationMs) };
    if (slow) this.#logger.warn('slow statement', facts);
    else this.#logger.debug('statement', facts);
  }
}
