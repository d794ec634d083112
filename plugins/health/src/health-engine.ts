import {
  type CheckReport,
  type Clock,
  type HealthCheck,
  type HealthReport,
  type HealthService,
  type HealthStatus,
  KeelsonError,
  type Lifecycle,
  type Logger,
  type ProbeKind,
  type Telemetry,
} from '@keelson/core';
import { checksOfGroup, unmatched } from './groups.js';
import { judge, type Verdict } from './hysteresis.js';
import type { HealthOptions } from './options.js';
import { overallStatus } from './overall-status.js';
import { type ResolvedCheck, resolveCheck } from './resolved-check.js';
import { type Sample, Sampler } from './sampler.js';

export interface HealthEngineTools {
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

interface Watched {
  readonly check: ResolvedCheck;
  readonly sampler: Sampler;
  /** Absent before the first sample. */
  seen: { readonly sample: Sample; readonly verdict: Verdict } | undefined;
  /** The last logged state; a check that always passes is not logged. */
  announced: HealthStatus;
}

/** Samples checks in the background and answers from the last sample: no probe runs a check or waits for one. */
export class HealthEngine implements HealthService, Disposable {
  readonly #options: HealthOptions;
  readonly #tools: HealthEngineTools;
  readonly #watched = new Map<string, Watched>();
  readonly #disabled = new Set<string>();
  readonly #phases: Disposable;
  #hasBeenReady: boolean;

  constructor(options: HealthOptions, tools: HealthEngineTools) {
    this.#options = options;
    this.#tools = tools;
    this.#hasBeenReady = tools.lifecycle.phase === 'ready';
    this.#phases = tools.lifecycle.onPhase(phase => {
      if (phase === 'ready') this.#hasBeenReady = true;
      if (phase === 'stopping') this.#stopSampling();
    });
  }

  /**
   * @throws KeelsonError HEALTH_CHECK_INVALID for members of a wrong shape, HEALTH_CHECK_DUPLICATE for a name in use.
   */
  register(given: HealthCheck): Disposable {
    const check = resolveCheck(given, this.#options.checks[given.name]);
    if (this.#watched.has(check.name) || this.#disabled.has(check.name)) throw duplicate(check.name);
    return check.enabled ? this.#watch(check) : this.#leaveOut(check);
  }

  report(kind: ProbeKind, group?: string): HealthReport {
    const checks = group === undefined ? this.#checksOf(kind) : this.#checksOfGroup(group);
    return { status: overallStatus(checks), checks };
  }

  /** Names in the configuration without a registered check. */
  unusedOverrides(): string[] {
    return Object.keys(this.#options.checks).filter(name => !this.#watched.has(name) && !this.#disabled.has(name));
  }

  /** Names in the groups of the configuration without a registered check, as `group: name`. */
  unusedGroupMembers(): string[] {
    const checks = [...this.#watched.keys(), ...this.#disabled].map(name => ({ name }));
    return Object.entries(this.#options.groups).flatMap(([name, group]) =>
      unmatched(group, checks).map(member => `${name}: ${member}`),
    );
  }

  /** Ends all sampling. Reports still return the last samples, until those are stale. */
  [Symbol.dispose](): void {
    this.#phases[Symbol.dispose]();
    this.#stopSampling();
  }

  #watch(check: ResolvedCheck): Disposable {
    const { clock, telemetry } = this.#tools;
    const sampler = new Sampler(check, {
      clock,
      suppress: work => telemetry.suppress(work),
      onSample: sample => this.#take(watched, sample),
    });
    const watched: Watched = { check, sampler, seen: undefined, announced: 'pass' };
    this.#watched.set(check.name, watched);
    if (!this.#stopping) sampler.start();
    return {
      [Symbol.dispose]: () => {
        sampler.stop();
        if (this.#watched.get(check.name) === watched) this.#watched.delete(check.name);
      },
    };
  }

  #leaveOut(check: ResolvedCheck): Disposable {
    this.#disabled.add(check.name);
    return { [Symbol.dispose]: () => void this.#disabled.delete(check.name) };
  }

  #checksOf(kind: ProbeKind): CheckReport[] {
    switch (kind) {
      case 'live':
        return [];
      case 'startup':
        return [this.#startup()];
      case 'ready':
        return [this.#readiness(), ...[...this.#watched.values()].map(watched => this.#look(watched))];
    }
  }

  #checksOfGroup(name: string): CheckReport[] {
    const { groups } = this.#options;
    const group = Object.hasOwn(groups, name) ? groups[name] : undefined;
    return checksOfGroup(group ?? { checks: [], degraded: 'pass' }, this.#checksOf('ready'));
  }

  #startup(): CheckReport {
    return lifecycleCheck(this.#hasBeenReady ? undefined : 'The service has not finished its start.');
  }

  #readiness(): CheckReport {
    const { phase } = this.#tools.lifecycle;
    return lifecycleCheck(phase === 'ready' ? undefined : `The service is ${phase}.`);
  }

  #take(watched: Watched, sample: Sample): void {
    watched.seen = { sample, verdict: judge(watched.seen?.verdict, sample.result, watched.check) };
    this.#announce(watched, this.#describe(watched), sample.error);
  }

  #look(watched: Watched): CheckReport {
    const report = this.#describe(watched);
    if (watched.seen !== undefined) this.#announce(watched, report);
    return report;
  }

  #describe({ check, seen }: Watched): CheckReport {
    const { name, critical } = check;
    // It takes no longer than its time limit; until then only what is critical keeps the service from being ready.
    if (seen === undefined) return { name, critical, status: critical ? 'fail' : 'pass', output: 'Not sampled yet.' };
    const { observedAt, durationMs, at } = seen.sample;
    const ageMs = this.#tools.clock.now() - at;
    const result = ageMs > check.staleAfterMs ? stale(ageMs) : seen.verdict.result;
    return { ...result, name, critical, observedAt, durationMs };
  }

  #announce(watched: Watched, report: CheckReport, error?: unknown): void {
    const before = watched.announced;
    if (report.status === before || this.#stopping) return;
    watched.announced = report.status;
    const facts = {
      check: report.name,
      critical: report.critical,
      from: before,
      to: report.status,
      ...(report.output === undefined ? {} : { output: report.output }),
      ...(error === undefined ? {} : { error }),
    };
    if (report.status === 'pass') this.#tools.logger.info(`health check ${report.name} passes again`, facts);
    else this.#tools.logger.warn(`health check ${report.name} ${verbs[report.status]}`, facts);
  }

  get #stopping(): boolean {
    return this.#tools.lifecycle.stopping.aborted;
  }

  #stopSampling(): void {
    for (const { sampler } of this.#watched.values()) sampler.stop();
  }
}

const verbs = { warn: 'warns', fail: 'fails' } as const;

function lifecycleCheck(problem: string | undefined): CheckReport {
  const base = { name: 'lifecycle', critical: true };
  return problem === undefined ? { ...base, status: 'pass' } : { ...base, status: 'fail', output: problem };
}

function stale(ageMs: number): { status: HealthStatus; output: string } {
  return { status: 'fail', output: `Not sampled for ${Math.round(ageMs / 1_000)} s.` };
}

function duplicate(name: string): KeelsonError {
  return new KeelsonError({
    code: 'HEALTH_CHECK_DUPLICATE',
    message: `A health check with the name "${name}" is registered already.`,
    hint: 'Give each check its own name. In a plugin that is used twice, add the instance to the name.',
    facts: { check: name },
  });
}
