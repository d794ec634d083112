import type { Clock, Timer } from '../contract/clock.js';
import type { Deadline } from '../contract/deadline.js';
import type { Attempt } from '../contract/slots/retry-policy.js';

export interface AttemptLimits {
  /** Longest attempt; `Infinity` for none. */
  readonly timeoutMs: number;
  /** How long a cancelled attempt may take to end. */
  readonly graceMs: number;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  /** Makes the reason that the attempt's signal aborts with when its time is over. */
  readonly timeoutError: () => Error;
  /** The target has answered attempt `number`, which still runs. */
  readonly onHealthy?: (number: number) => void;
}

/** Thrown when the deadline of the whole call ended the attempt. */
export const deadlinePassed = Symbol('deadline passed');

/**
 * One run of the work, with its own signal.
 *
 * The signal is made when it is first read: work that never looks at it costs no `AbortController`.
 */
export class RunningAttempt implements Attempt {
  readonly number: number;
  readonly deadline: Deadline;
  /** On the clock. */
  readonly startedAt: number;
  readonly #clock: Clock;
  readonly #limits: AttemptLimits;
  #controller: AbortController | undefined;
  #abortReason: unknown;
  #timedOut = false;
  #timer: Timer | undefined;
  #onAbort: (() => void) | undefined;

  constructor(number: number, deadline: Deadline, clock: Clock, limits: AttemptLimits) {
    this.number = number;
    this.deadline = deadline;
    this.startedAt = clock.now();
    this.#clock = clock;
    this.#limits = limits;
  }

  reportHealthy(): void {
    this.#limits.onHealthy?.(this.number);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** Its own time was over, however it ended then. */
  get timedOut(): boolean {
    return this.#timedOut;
  }

  /**
   * Settles as the work does. When the attempt's time is over its signal aborts, and the work has `graceMs` to end as it
   * will; then it is abandoned and the timeout thrown. Rejects at once with `deadlinePassed` when the call's time is
   * over and with `signal.reason` when the caller gives up; the work may then still run, and its result is dropped.
   */
  run<T>(work: (attempt: Attempt) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#watch(reject);
      start(work, this).then(
        value => {
          this.#unwatch();
          resolve(value);
        },
        (error: unknown) => {
          this.#unwatch();
          reject(error);
        },
      );
    });
  }

  #watch(reject: (reason: unknown) => void): void {
    const { signal, timeoutMs } = this.#limits;
    this.#setTimer(this.startedAt, timeoutMs, reject, () => this.#timeOut(reject));
    if (signal === undefined) return;
    const onAbort = () => this.#end(signal.reason, signal.reason, reject);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#onAbort = onAbort;
  }

  #unwatch(): void {
    this.#timer?.cancel();
    if (this.#onAbort !== undefined) this.#limits.signal?.removeEventListener('abort', this.#onAbort);
  }

  /** Runs `onTime` `ms` after `now`, unless the deadline of the call comes first. */
  #setTimer(now: number, ms: number, reject: (reason: unknown) => void, onTime: () => void): void {
    const leftMs = this.deadline.at - now;
    if (leftMs <= ms) this.#schedule(leftMs, () => this.#end(new DeadlineReason(), deadlinePassed, reject));
    else this.#schedule(ms, onTime);
  }

  #schedule(ms: number, callback: () => void): void {
    if (ms !== Number.POSITIVE_INFINITY) this.#timer = this.#clock.schedule(ms, callback, { keepAlive: true });
  }

  #timeOut(reject: (reason: unknown) => void): void {
    const error = this.#limits.timeoutError();
    this.#timedOut = true;
    this.#abort(error);
    this.#setTimer(this.#clock.now(), this.#limits.graceMs, reject, () => this.#end(error, error, reject));
  }

  #end(reason: unknown, error: unknown, reject: (reason: unknown) => void): void {
    this.#unwatch();
    this.#abort(reason);
    reject(error);
  }

  #abort(reason: unknown): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(reason);
  }
}

/** What work sees on its signal when the deadline of the call has passed. */
class DeadlineReason extends DOMException {
  constructor() {
    super('the deadline of the call has passed', 'TimeoutError');
  }
}

/** Work that throws, or returns a plain value, is as good as work that rejects or resolves. */
function start<T>(work: (attempt: Attempt) => Promise<T>, attempt: Attempt): Promise<T> {
  try {
    return Promise.resolve(work(attempt));
  } catch (error) {
    return Promise.reject(error);
  }
}
