import type { Attempt, ExecuteOptions, FailureVerdict, RetryPolicy } from '@keelson/core';

/**
 * A policy for a service that may end before its calls do: what waits for an attempt then ends at once; an attempt that
 * runs is left alone, and is the last one.
 */
export class StoppableRetryPolicy implements RetryPolicy {
  readonly #policy: RetryPolicy;
  readonly #targets: readonly string[];
  #stopped: { readonly reason: unknown } | undefined;

  /** `targets` are those of all its calls. */
  constructor(policy: RetryPolicy, targets: readonly string[]) {
    this.#policy = policy;
    this.#targets = targets;
  }

  async execute<T>(work: (attempt: Attempt) => Promise<T>, options: ExecuteOptions): Promise<T> {
    this.#assertRunning();
    const { classify } = options;
    const attempt = (next: Attempt) => {
      this.#assertRunning();
      return work(next);
    };
    return this.#policy.execute(attempt, {
      ...options,
      ...(classify && { classify: error => this.#last(classify(error)) }),
    });
  }

  /** Rejects every waiting and every later call with `reason`. */
  stop(reason: unknown): void {
    this.#stopped = { reason };
    for (const target of this.#targets) this.#policy.endWaits?.(target, reason);
  }

  #assertRunning(): void {
    if (this.#stopped !== undefined) throw this.#stopped.reason;
  }

  #last(verdict: FailureVerdict): FailureVerdict {
    return this.#stopped === undefined ? verdict : { ...verdict, retry: false };
  }
}
