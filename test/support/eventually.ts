import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface EventuallyOptions {
  /** How long to keep trying. Default 5 000. */
  timeoutMs?: number;
  /** Pause between tries. Default 10. */
  intervalMs?: number;
  /** What is awaited, for the failure message: "the pool to be empty". */
  that?: string;
}

/**
 * Repeats `probe` until it returns something other than `false` without throwing, and returns that.
 * A probe of assertions alone returns nothing: it is done as soon as it does not throw.
 *
 * @throws Error after `timeoutMs`, saying what was awaited, how often it was tried, and how the last try failed.
 */
export async function eventually<T>(
  probe: () => T | false | Promise<T | false>,
  options: EventuallyOptions = {},
): Promise<T> {
  const { timeoutMs = 5_000, intervalMs = 10, that = 'the condition' } = options;
  const start = performance.now();
  for (let tries = 1; ; tries++) {
    const attempt = await tryOnce(probe);
    if (attempt.done) return attempt.value;
    const waitedMs = Math.round(performance.now() - start);
    if (waitedMs >= timeoutMs) {
      const message = `Waited ${waitedMs} ms for ${that} (${tries} tries); at the last try it ${attempt.why}`;
      throw new Error(message, { cause: attempt.cause });
    }
    await sleep(intervalMs);
  }
}

type Attempt<T> = { done: true; value: T } | { done: false; why: string; cause?: unknown };

async function tryOnce<T>(probe: () => T | false | Promise<T | false>): Promise<Attempt<T>> {
  try {
    const value = await probe();
    return value === false ? { done: false, why: `was ${inspect(value)}` } : { done: true, value };
  } catch (error) {
    const message = error instanceof Error ? error.message : inspect(error);
    return { done: false, why: `threw: ${message}`, cause: error };
  }
}
