import { type ServiceToken, serviceToken } from './token.js';

/** A timer that can be cancelled. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time as an argument, so that a test can advance it. */
export interface Clock {
  /** Milliseconds on a clock that never goes backwards; only differences mean anything. */
  now(): number;
  /** The wall clock. */
  date(): Date;
  /**
   * Resolves after `ms`. Rejects with `signal.reason` as soon as `signal` aborts, and at once when it already has.
   * Neither the timer nor the listener outlives the promise.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `callback` once after `ms`. The process waits for the timer only with `keepAlive: true`; by default an
   * idle process may end with the timer still set.
   */
  schedule(ms: number, callback: () => void, options?: { keepAlive?: boolean }): Timer;
}

export const Clock: ServiceToken<Clock> = serviceToken('@keelson/core/Clock');

/** The longest delay a Node timer holds; a longer one would fire at once. */
const longestDelayMs = 2 ** 31 - 1;

/** The `sleep` of a clock that can schedule. */
export function sleepOn(clock: Pick<Clock, 'schedule'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const onTime = () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    const timer = clock.schedule(ms, onTime, { keepAlive: true });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
  schedule(ms, callback, options) {
    const timer = setTimeout(callback, Math.min(Math.max(ms, 0), longestDelayMs));
    if (options?.keepAlive !== true) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
