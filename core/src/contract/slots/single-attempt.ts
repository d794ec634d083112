import type { Clock } from '../clock.js';
import { Deadline } from '../deadline.js';
import { KeelsonError } from '../keelson-error.js';
import type { ExecuteOptions, RetryPolicy } from './retry-policy.js';

/**
 * The policy of a service without a retry plugin: runs the work once, inside the deadline and the signal of the call.
 * Repeats nothing and opens no breaker. Throws the errors of the work unchanged.
 *
 * @throws KeelsonError `RETRY_DEADLINE_EXCEEDED` when the work has not settled by the deadline. The work goes on in the
 * background unless it respects the signal of the attempt. The reason of `signal` when the caller gave up.
 */
export function singleAttempt(clock: Clock): RetryPolicy {
  return {
    async execute(work, options) {
      const deadline = options.deadline ?? Deadline.after(Number.POSITIVE_INFINITY, clock);
      options.signal?.throwIfAborted();
      const startedAt = clock.now();
      const passed = () => deadlineExceeded(options, clock.now() - startedAt);
      if (deadline.passed) throw passed();

      const time = new AbortController();
      const timer = Number.isFinite(deadline.at)
        ? clock.schedule(deadline.remainingMs(), () => time.abort(passed()), { keepAlive: true })
        : undefined;
      const signal = options.signal === undefined ? time.signal : AbortSignal.any([options.signal, time.signal]);
      try {
        return await untilAborted(signal, work({ number: 1, signal, deadline, reportHealthy() {} }));
      } finally {
        timer?.cancel();
      }
    },
  };
}

function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  work.then(resolve, reject);
  return promise.finally(() => signal.removeEventListener('abort', onAbort));
}

function deadlineExceeded(options: ExecuteOptions, elapsedMs: number): KeelsonError {
  return new KeelsonError({
    code: 'RETRY_DEADLINE_EXCEEDED',
    message: `${options.name} did not finish in time (${Math.round(elapsedMs)} ms).`,
    hint: 'Find out why the target was slow, or give the call a longer deadline.',
    facts: { name: options.name, attempts: 1, elapsedMs: Math.round(elapsedMs) },
    http: { status: 503, title: 'Service Unavailable' },
  });
}
