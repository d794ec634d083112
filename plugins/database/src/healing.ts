import type { Clock, Timer } from '@keelson/core';

const firstPauseMs = 250;
const longestPauseMs = 2_000;
const pingTimeoutMs = 2_000;

/** While the database is away, asks in growing pauses whether it is back. One question at a time. */
export class Healing {
  readonly #ping: (signal: AbortSignal) => Promise<void>;
  readonly #clock: Clock;
  readonly #onHealed: () => void;
  #timer: Timer | undefined;

  constructor(options: { ping: (signal: AbortSignal) => Promise<void>; clock: Clock; onHealed: () => void }) {
    this.#ping = options.ping;
    this.#clock = options.clock;
    this.#onHealed = options.onHealed;
  }

  start(): void {
    if (this.#timer === undefined) this.#schedule(firstPauseMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #schedule(pauseMs: number): void {
    const timer = this.#clock.schedule(pauseMs * (0.5 + Math.random() / 2), () => void this.#look(timer, pauseMs));
    this.#timer = timer;
  }

  /** One question now: true when the database answered in time. Never rejects. */
  async ask(): Promise<boolean> {
    const controller = new AbortController();
    const timeout = this.#clock.schedule(pingTimeoutMs, () => controller.abort(new Error('ping timed out')));
    try {
      await this.#ping(controller.signal);
      return true;
    } catch {
      return false;
    } finally {
      timeout.cancel();
    }
  }

  async #look(timer: Timer, pauseMs: number): Promise<void> {
    const back = await this.ask();
    if (this.#timer !== timer) return;
    this.#timer = undefined;
    if (back) this.#onHealed();
    else this.#schedule(Math.min(pauseMs * 2, longestPauseMs));
  }
}
