import { type FailureVerdict, KeelsonError } from '@keelson/core';
import type { FaultRule } from './options.js';

export type FailingKind = Exclude<FaultRule['kind'], 'latency'>;

const codes: Readonly<Record<FailingKind, string>> = {
  error: 'ECONNRESET',
  refusal: 'ECONNREFUSED',
  'pool-exhaustion': 'ETIMEDOUT',
};

/** The work has not run, so a repeat is safe; an exhausted pool does not count against the target. */
const verdicts: Readonly<Record<FailingKind, FailureVerdict>> = {
  error: { retry: true, availability: 'down' },
  refusal: { retry: true, availability: 'down' },
  'pool-exhaustion': { retry: true, availability: 'unknown' },
};

/** Makes the error of an injected fault. Its cause has the code of the simulated failure. */
export class InjectedFault extends KeelsonError {
  readonly verdict: FailureVerdict;

  constructor(kind: FailingKind, target: string, code = codes[kind]) {
    super({
      code: 'FAULT_INJECTED',
      message: `A fault was injected into a call to ${target}: ${kind} (${code}).`,
      hint: 'This is a rehearsal. To end it, remove the rule from faults.rules and start the service again.',
      facts: { target, kind, code },
      cause: Object.assign(new Error(`${code} (injected)`), { code }),
      http: { status: 503, title: 'Service unavailable', retryAfterMs: 1_000 },
    });
    this.verdict = verdicts[kind];
  }
}
