import { type Clock, Deadline, type RetryPolicy } from '@keelson/core';
import { defaultVerdict, RunningAttempt } from '@keelson/core/retry';

const pauseMs = 10;
const maxAttempts = 5;

/** A policy for suites: hardly waits between attempts, and has no breaker. */
export function impatientRetries(clock: Clock): RetryPolicy {
  return {
    async execute(work, { idempotent, deadline = Deadline.after(30_000, clock), signal, classify, onRetry }) {
      for (let number = 1; ; number += 1) {
        signal?.throwIfAborted();
        const timeoutError = () => new Error('unreachable: an attempt has no time of its own');
        const limits = { timeoutMs: Number.POSITIVE_INFINITY, graceMs: 0, signal, timeoutError };
        try {
          return await new RunningAttempt(number, deadline, clock, limits).run(work);
        } catch (error) {
          const verdict = (classify ?? (thrown => defaultVerdict(thrown, idempotent)))(error);
          if (!idempotent || !verdict.retry || number === maxAttempts || deadline.remainingMs() <= pauseMs) throw error;
          onRetry?.({ attempt: number + 1, delayMs: pauseMs, error });
          await clock.sleep(pauseMs, signal);
        }
      }
    },
  };
}
