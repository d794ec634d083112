import type { HealthResult } from '@keelson/core';

export interface Thresholds {
  /** Failures in a row that turn a passing check into a failing one. */
  readonly failureThreshold: number;
  /** Successes in a row that turn a failing check into a passing one. */
  readonly successThreshold: number;
}

export interface Verdict {
  /** The reported result. */
  readonly result: HealthResult;
  /** Samples in a row with the opposite of `result`. */
  readonly against: number;
}

/** Returns the verdict after one more sample. The first sample decides alone; `warn` is a success. */
export function judge(previous: Verdict | undefined, sample: HealthResult, thresholds: Thresholds): Verdict {
  if (previous === undefined || succeeded(sample) === succeeded(previous.result)) return { result: sample, against: 0 };
  const against = previous.against + 1;
  const needed = succeeded(sample) ? thresholds.successThreshold : thresholds.failureThreshold;
  return against >= needed ? { result: sample, against: 0 } : { result: previous.result, against };
}

function succeeded(result: HealthResult): boolean {
  return result.status !== 'fail';
}
