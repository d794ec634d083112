import { type Clock, type HealthResult, isKeelsonError, type Timer } from '@keelson/core';
import type { ResolvedCheck } from './resolved-check.js';

/** One sample of a check. */
export interface Sample {
  readonly result: HealthResult;
  /** The error of the check, for the log; never shown to a caller. */
  readonly error?: unknown;
  readonly observedAt: Date;
  /** `observedAt` on `clock.now()`. */
  readonly at: number;
  readonly durationMs: number;
}

export interface SamplerTools {
  readonly clock: Clock;
  /** Runs work without leaving spans: `Telemetry.suppress`. */
  readonly suppress: <T>(work: () => T) => T;
  readonly onSample: (sample: Sample) => void;
}

/**
 * Runs one check again and again, with its interval between the end of one sample and the start of the next.
 *
 * One sample at a time: a check that ignores its aborted signal is reported as failed when its time is over, and is
 * not called again before it has returned.
 */
export class Sampler {
  readonly #check: ResolvedCheck;
  readonly #tools: SamplerTools;
  readonly #stopped = new AbortController();
  #next: Timer | undefined;

  constructor(check: ResolvedCheck, tools: SamplerTools) {
    this.#check = check;
    this.#tools = tools;
  }

  start(): void {
    void this.#sample();
  }

  /** Sets no further timer and aborts the running sample, whose outcome is discarded. */
  stop(): void {
    this.#next?.cancel();
    this.#stopped.abort(new DOMException('The health engine has stopped.', 'AbortError'));
  }

  async #sample(): Promise<void> {
    const { clock, suppress } = this.#tools;
    const attempt = new AbortController();
    const signal = AbortSignal.any([attempt.signal, this.#stopped.signal]);
    const startedAt = clock.now();
    const timeout = clock.schedule(this.#check.timeoutMs, () => {
      attempt.abort(new DOMException(`No answer within ${this.#check.timeoutMs} ms.`, 'TimeoutError'));
      this.#report(startedAt, { status: 'fail', output: `No answer within ${this.#check.timeoutMs} ms.` });
    });
    const outcome = await settled(() => suppress(() => this.#check.check(signal)));
    timeout.cancel();
    if (!attempt.signal.aborted) this.#report(startedAt, outcome.result, outcome.error);
    if (!this.#stopped.signal.aborted) {
      this.#next = clock.schedule(this.#check.intervalMs, () => void this.#sample());
    }
  }

  #report(startedAt: number, result: HealthResult, error?: unknown): void {
    if (this.#stopped.signal.aborted) return;
    const { clock, onSample } = this.#tools;
    const at = clock.now();
    onSample({ result, error, observedAt: clock.date(), at, durationMs: at - startedAt });
  }
}

async function settled(check: () => Promise<HealthResult>): Promise<{ result: HealthResult; error?: unknown }> {
  try {
    const result: HealthResult | undefined = await check();
    if (result?.status === 'pass' || result?.status === 'warn' || result?.status === 'fail') return { result };
    return { result: { status: 'fail', output: 'The check returned no status.' } };
  } catch (error) {
    return { result: { status: 'fail', output: reason(error) }, error };
  }
}

/** Shows the message of a KeelsonError; any other message may have an address or a credential. */
function reason(error: unknown): string {
  if (isKeelsonError(error)) return error.message;
  if (!(error instanceof Error)) return 'The check failed.';
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  return `The check failed with ${error.name}${code}.`;
}
