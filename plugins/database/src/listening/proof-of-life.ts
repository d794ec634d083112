import type { Clock, Timer } from '@keelson/core';

export interface ProofOfLifeParts {
  readonly clock: Clock;
  /** After this much silence the server is asked. */
  readonly checkIntervalMs: number;
  readonly checkTimeoutMs: number;
  readonly prove: (signal: AbortSignal) => Promise<void>;
  /** The server has not proven that it is there. */
  readonly onFailed: (cause: unknown) => void;
}

/** A connection that only receives may lead nowhere without a sign of it: asks after each silence. */
export class ProofOfLife implements Disposable {
  readonly #parts: ProofOfLifeParts;
  #heardAt: number;
  #timer: Timer | undefined;
  #asking = false;
  #isOver = false;

  constructor(parts: ProofOfLifeParts) {
    this.#parts = parts;
    this.#heardAt = parts.clock.now();
    this.#wait(parts.checkIntervalMs);
  }

  /** Something came from the server. */
  heard(): void {
    this.#heardAt = this.#parts.clock.now();
  }

  /** Asks now: something speaks against the server. */
  ask(): void {
    if (this.#asking || this.#isOver) return;
    this.#asking = true;
    this.#timer?.cancel();
    void this.#ask();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  async #ask(): Promise<void> {
    const { clock, checkIntervalMs, checkTimeoutMs, prove, onFailed } = this.#parts;
    const controller = new AbortController();
    const giveUp = () => controller.abort(unanswered());
    const timeout = clock.schedule(checkTimeoutMs, giveUp);
    try {
      await prove(controller.signal);
      this.heard();
      this.#asking = false;
      this.#wait(checkIntervalMs);
    } catch (error) {
      if (!this.#isOver) onFailed(error);
    } finally {
      timeout.cancel();
    }
  }

  #wait(ms: number): void {
    if (this.#isOver) return;
    const { clock, checkIntervalMs } = this.#parts;
    this.#timer = clock.schedule(ms, () => {
      const leftMs = this.#heardAt + checkIntervalMs - clock.now();
      if (leftMs > 0) this.#wait(leftMs);
      else this.ask();
    });
  }
}

/** As the operating system says it, had it been asked to give up by then. */
export function unanswered(): Error {
  return Object.assign(new Error('the server has not answered in time'), { code: 'ETIMEDOUT', syscall: 'read' });
}
