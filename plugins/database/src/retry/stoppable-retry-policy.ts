import type { Attempt, ExecuteOptions, RetryPolicy } from '@keelson/core';

/**
 * A policy for a service that may end before its calls do: what waits for an attempt then ends at once; an attempt that
 * runs is left alone, and is the last one.
 */
export class StoppableRetryPolicy implements RetryPolicy {
  readonly #policy: RetryPolicy;
  readonly #waiting = new Set<AbortController>();
  #stopped: { readonly reason: () => unknown } | undefined;

  constructor(policy: RetryPolicy) {
    this.#policy = policy;
  }

  async execute<T>(work: (attempt: Attempt) => Promise<T>, options: ExecuteOptions): Promise<T> {
    if (this.#stopped !== undefined) throw this.#stopped.reason();
    const waiting = new AbortController();
    this.#waiting.add(waiting);
    try {
      return await this.#policy.execute(attempt => this.#attempt(work, attempt, waiting), {
        ...options,
        ...this.#classify(options),
        signal: options.signal === undefined ? waiting.signal : AbortSignal.any([options.signal, waiting.signal]),
      });
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  /** Whoever waits, and whoever comes from now on, hears `reason`. */
  stop(reason: () => unknown): void {
    this.#stopped = { reason };
    for (const waiting of this.#waiting) waiting.abort(reason());
    this.#waiting.clear();
  }

  async #attempt<T>(work: (attempt: Attempt) => Promise<T>, attempt: Attempt, waiting: AbortController): Promise<T> {
    this.#waiting.delete(waiting);
    try {
      return await work(attempt);
    } catch (error) {
      if (this.#stopped === undefined) this.#waiting.add(waiting);
      throw error;
    }
  }

  #classify({ classify }: ExecuteOptions): Pick<ExecuteOptions, 'classify'> {
    if (classify === undefined) return {};
    return {
      classify: error => {
        const verdict = classify(error);
        return this.#stopped === undefined ? verdict : { ...verdict, retry: false };
      },
    };
  }
}
