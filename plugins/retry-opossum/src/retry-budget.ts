import type { BudgetOptions } from './options.js';

const slotCount = 10;

interface Slot {
  calls: number;
  retries: number;
}

/**
 * Prevents retries from making an outage worse: each call to the target earns a share of a token, each retry spends one,
 * and tokens are worth nothing after `windowMs`. A token is set aside before the pause that a retry begins with, and
 * spent when the retry is sent: by then it may have turned out that there is none.
 *
 * Within any window: retries <= floorPerSecond * seconds + share * calls.
 */
export class RetryBudget {
  #options: BudgetOptions;
  readonly #slots: Slot[] = Array.from({ length: slotCount }, () => ({ calls: 0, retries: 0 }));
  #slotMs: number;
  #current: Slot;
  #position = 0;
  #slotEndsAt: number;
  #calls = 0;
  #retries = 0;
  #reserved = 0;

  constructor(options: BudgetOptions, now: number) {
    this.#options = options;
    // One slot is always only part filled: nine full ones and it never span more than the window.
    this.#slotMs = options.windowMs / slotCount;
    this.#slotEndsAt = now + this.#slotMs;
    this.#current = this.#slotAt(0);
  }

  /** Goes by `options` from now on; what was earned and spent stays. */
  configure(options: BudgetOptions): void {
    this.#options = options;
    this.#slotMs = options.windowMs / slotCount;
  }

  /** A call has come in: it earns its share. */
  earn(now: number): void {
    if (now >= this.#slotEndsAt) this.#turn(now);
    this.#current.calls++;
    this.#calls++;
  }

  /** Sets a token aside, to be spent or released; false when there is none, and nothing was set aside. */
  reserve(now: number): boolean {
    if (now >= this.#slotEndsAt) this.#turn(now);
    if (this.#tokens() < 1) return false;
    this.#reserved++;
    return true;
  }

  /** The retry that a token was set aside for is sent. */
  spend(now: number): void {
    if (now >= this.#slotEndsAt) this.#turn(now);
    this.#reserved--;
    this.#current.retries++;
    this.#retries++;
  }

  /** The retry that a token was set aside for is not sent. */
  release(): void {
    this.#reserved--;
  }

  /** Whole tokens that are neither spent nor set aside. */
  left(now: number): number {
    if (now >= this.#slotEndsAt) this.#turn(now);
    return Math.max(0, Math.floor(this.#tokens()));
  }

  #tokens(): number {
    const { floorPerSecond, share, windowMs } = this.#options;
    return (floorPerSecond * windowMs) / 1_000 + share * this.#calls - this.#retries - this.#reserved;
  }

  #turn(now: number): void {
    const turns = Math.min(slotCount, Math.floor((now - this.#slotEndsAt) / this.#slotMs) + 1);
    for (let turn = 0; turn < turns; turn++) this.#forgetOldest();
    this.#slotEndsAt += this.#slotMs * (Math.floor((now - this.#slotEndsAt) / this.#slotMs) + 1);
  }

  #forgetOldest(): void {
    this.#position = (this.#position + 1) % slotCount;
    this.#current = this.#slotAt(this.#position);
    this.#calls -= this.#current.calls;
    this.#retries -= this.#current.retries;
    this.#current.calls = 0;
    this.#current.retries = 0;
  }

  #slotAt(position: number): Slot {
    const slot = this.#slots[position];
    if (slot === undefined) throw new RangeError(`no slot ${position}`);
    return slot;
  }
}
