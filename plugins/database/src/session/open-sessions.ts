import type { Clock, Deadline } from '@keelson/core';

/** Counts the sessions that have not ended, and waits for them. */
export class OpenSessions {
  readonly #clock: Clock;
  readonly #idle = new Set<() => void>();
  #count = 0;
  #draining = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#count;
  }

  /** No session may be opened any more. */
  get draining(): boolean {
    return this.#draining;
  }

  /** One more is open; call the result once when it ends. */
  enter(): () => void {
    this.#count += 1;
    return () => {
      this.#count -= 1;
      if (this.#count > 0) return;
      for (const tell of [...this.#idle]) tell();
    };
  }

  reopen(): void {
    this.#draining = false;
  }

  /** True when all have ended by `deadline`. */
  drain(deadline: Deadline): Promise<boolean> {
    this.#draining = true;
    if (this.#count === 0) return Promise.resolve(true);
    return new Promise(resolve => {
      const end = (ended: boolean) => {
        this.#idle.delete(onIdle);
        timer.cancel();
        resolve(ended);
      };
      const onIdle = () => end(true);
      const timer = this.#clock.schedule(deadline.remainingMs(), () => end(false), { keepAlive: true });
      this.#idle.add(onIdle);
    });
  }
}
