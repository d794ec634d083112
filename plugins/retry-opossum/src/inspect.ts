import { type Diagnosis, type Inspection, summarizeError } from '@keelson/core';
import type { BreakerReport } from './circuit-breaker.js';
import { policyNameOf, type RetryOptions } from './options.js';
import type { RetryControl } from './retry-control.js';
import type { TargetReport } from './target.js';

export interface InspectRequest {
  readonly control: RetryControl;
  readonly config: RetryOptions;
  /** The key of the plugin, for the command that releases a breaker. */
  readonly key: string;
}

/** Each target that has been called or declared with its breaker and counters; a finding for each breaker that is not closed. */
export function inspectTargets(request: InspectRequest): Inspection {
  const { control } = request;
  const reports = control.describe();
  const notClosed = reports.filter(({ breaker }) => breaker.state !== 'closed');
  return {
    facts: { targets: Object.fromEntries(reports.map(report => [report.target, factsOf(report, request)])) },
    findings:
      notClosed.length === 0 ? [allClosed(reports.length)] : notClosed.map(report => aboutBreaker(report, request)),
  };
}

function factsOf(report: TargetReport, { config }: InspectRequest) {
  const { target, breaker, counters, budgetLeft, waiting, running, queued } = report;
  return {
    policy: policyNameOf(config, target),
    breaker: breakerFacts(breaker),
    counters,
    budgetLeft: Math.floor(budgetLeft),
    waiting,
    ...(running !== undefined && { running, queued }),
  };
}

function breakerFacts({ state, sinceMs, notClosedMs, breakLeftMs, breaks, lastCause }: BreakerReport) {
  return {
    state,
    sinceMs: Math.round(sinceMs),
    ...(notClosedMs > 0 && { notClosedMs: Math.round(notClosedMs) }),
    // Held open there is no end to it.
    ...(state === 'open' && { breakLeftMs: Math.round(breakLeftMs) }),
    breaks,
    ...(lastCause !== undefined && { lastCause: summarizeError(lastCause) }),
  };
}

function allClosed(targets: number): Diagnosis {
  const output = targets === 0 ? 'No target is known yet.' : `Closed, for all known targets: ${targets}.`;
  return { name: 'breakers', status: 'pass', output };
}

function aboutBreaker({ target, breaker, waiting }: TargetReport, { key }: InspectRequest): Diagnosis {
  const { state, sinceMs, notClosedMs, lastCause } = breaker;
  const waits = waiting === 0 ? '' : `; ${waiting} ${waiting === 1 ? 'call waits' : 'calls wait'}`;
  const cause = lastCause === undefined ? '' : ` ${causeOf(lastCause)}`;
  return {
    name: `breaker of ${target}`,
    status: 'warn',
    output: `${stateFor(state, notClosedMs || sinceMs)}${waits}.${cause}`,
    hint: state.startsWith('held-')
      ? `An operator holds the breaker. To release it: keelson do ${key} release ${target}`
      : 'Fix the cause; the breaker closes by itself when the target answers.',
  };
}

function stateFor(state: BreakerReport['state'], forMs: number): string {
  if (state === 'held-closed') return `It has been held closed for ${seconds(forMs)}`;
  return `It is ${state.replace('-', ' ')}, and opened ${seconds(forMs)} ago`;
}

function causeOf(thrown: unknown): string {
  const { code, message } = summarizeError(thrown);
  return `Last cause: ${code === undefined ? '' : `${code}: `}${message}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
