import { type ServiceToken, serviceToken } from '@keelson/core';
import type { Change } from './changes.js';
import type { RetryOptionsInput } from './options.js';
import type { RetryObserver, TargetReport } from './target.js';

/** Reads and steers the policy of a running service. */
export interface RetryControl {
  /** What is known of each target that has been called or declared. */
  describe(): readonly TargetReport[];
  /**
   * Replaces all current options by `options`; an option that is left out gets its default. Calls in flight keep the
   * deadline, timeouts and attempts that they began with; the state of each breaker stays.
   *
   * @returns what differs from before.
   * @throws KeelsonError RETRY_OPTIONS_INVALID with every problem; then nothing has changed.
   */
  reconfigure(options: RetryOptionsInput): readonly Change[];
  /** Holds the breaker of `target` open (every call is refused, those that wait too) or closed, whatever happens. */
  hold(target: string, as: 'open' | 'closed'): void;
  /** Releases a held breaker: it is closed and follows its own rules again. Does nothing for a breaker that is not held. */
  release(target: string): void;
  /** Reports later events to `observer`. Disposing of the result removes it. */
  observe(observer: RetryObserver): Disposable;
}

export const RetryControl: ServiceToken<RetryControl> = serviceToken('@keelson/retry-opossum/RetryControl');
