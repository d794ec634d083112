import type { Clock } from './clock.js';

/** The time by which a call must end. Every layer passes it on, so that all waits together stay within it. */
export class Deadline {
  /** On `clock.now()`. */
  readonly at: number;
  readonly #clock: Clock;

  private constructor(at: number, clock: Clock) {
    this.at = at;
    this.#clock = clock;
  }

  /** `ms` from now; `Infinity` never comes. */
  static after(ms: number, clock: Clock): Deadline {
    return new Deadline(clock.now() + ms, clock);
  }

  /** Returns the deadline that comes first. */
  static earliest(first: Deadline, ...others: readonly (Deadline | undefined)[]): Deadline {
    let earliest = first;
    for (const each of others) if (each !== undefined && each.at < earliest.at) earliest = each;
    return earliest;
  }

  /** Milliseconds left, never below 0. */
  remainingMs(): number {
    return Math.max(0, this.at - this.#clock.now());
  }

  get passed(): boolean {
    return this.#clock.now() >= this.at;
  }

  /** Returns this deadline, or one `ms` from now when that is earlier. */
  within(ms: number): Deadline {
    const at = this.#clock.now() + ms;
    return at < this.at ? new Deadline(at, this.#clock) : this;
  }
}
