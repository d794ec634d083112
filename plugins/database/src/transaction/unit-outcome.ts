import { moved, type Outcome, type OutcomeEvent, untouched } from './outcome.js';

/** The outcome of one attempt, for all who take part in it. */
export class UnitOutcome {
  #now: Outcome;

  constructor(notRepeated?: string) {
    this.#now = untouched(notRepeated);
  }

  get now(): Outcome {
    return this.#now;
  }

  move(event: OutcomeEvent): void {
    this.#now = moved(this.#now, event);
  }
}
