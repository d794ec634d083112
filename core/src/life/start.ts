import { resolve } from 'node:path';
import type { LoadedConfig } from '../config/load-config.js';
import { BindingRegistry } from '../container/bindings.js';
import { ServiceContainer } from '../container/service-container.js';
import { type Clock, systemClock, type Timer } from '../contract/clock.js';
import type { KeelsonError } from '../contract/keelson-error.js';
import { LifecycleControl } from '../contract/lifecycle.js';
import { Logger, silentLogger } from '../contract/slots/logger.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { makePlan } from '../plan/make-plan.js';
import type { Plan, PlannedPlugin } from '../plan/plan.js';
import { Blocking } from './blocking.js';
import { PlanError, StartError, startCancelled, startTooLong } from './errors.js';
import { type KernelOptions, planRequest } from './kernel-options.js';
import type { ReloadReport } from './reload.js';
import { codeAndLine, type StartReport, type StopReport } from './report.js';
import { RunningPlugin } from './running-plugin.js';
import { KernelControl, ServiceControl } from './service-control.js';
import { shutDown } from './shutdown.js';
import { bindSilentDefaults, exclusiveTokens, makeSwitchables, startPlugins } from './start-levels.js';
import type { ServiceStatus } from './status.js';
import { stillStarting } from './still-starting.js';
import type { Surroundings } from './surroundings.js';

/** One start, from the plan to ready or to undone. */
export class Start {
  readonly options: KernelOptions;
  readonly clock: Clock;
  readonly container = new ServiceContainer();
  readonly lifecycle: LifecycleControl;
  readonly control: KernelControl;
  running: readonly RunningPlugin[] = [];
  readonly #cancel = new AbortController();
  readonly #startedAt: number;
  readonly #blocking: Blocking;
  #plan: Plan | undefined;
  #planMs = 0;
  #early: RunningPlugin | undefined;

  private constructor(options: KernelOptions) {
    this.options = options;
    this.clock = options.clock ?? systemClock;
    this.#startedAt = this.clock.now();
    this.#blocking = new Blocking(this.clock);
    this.lifecycle = new LifecycleControl(error => this.logger.error('lifecycle listener failed', { error }));
    this.control = new KernelControl({
      identity: () => this.#identity(),
      plan: () => this.plan,
      status: () => this.status(this.plan),
    });
  }

  /** @throws PlanError when the plan does not hold. */
  static async plan(options: KernelOptions): Promise<Start> {
    const start = new Start(options);
    const made = makePlan({ ...planRequest(options), beforeImports: (...given) => start.#instrument(...given) });
    const plan = await unlessCancelled(made, options.signal);
    if (plan.problems.length > 0) throw new PlanError(plan);
    start.#plan = options.revise?.(plan) ?? plan;
    start.#planMs = start.clock.now() - start.#startedAt - importsMs(plan);
    return start;
  }

  get plan(): Plan {
    if (this.#plan === undefined) throw new Error('bug: the plan was asked for before it was made');
    return this.#plan;
  }

  get logger(): Logger {
    return this.container.isBound(Logger) ? this.container.get(Logger) : silentLogger;
  }

  /** True when the service is ready; otherwise `undo` is owed. */
  async run(): Promise<boolean> {
    const { plan, clock } = this;
    const exclusive = exclusiveTokens(plan);
    const surroundings: Surroundings = {
      ...this.#surroundings(plan),
      registry: new BindingRegistry(exclusive),
      switchables: makeSwitchables(plan, clock),
    };
    const early = this.#early;
    this.running = plan.plugins.map(
      planned => new RunningPlugin(planned, surroundings, planned.key === early?.key ? early : undefined),
    );
    bindSilentDefaults(plan, surroundings);
    this.container.bind(ServiceControl).toConstantValue(this.control);
    using _limits = this.#limit();
    const { only } = this.options;
    const ready = await startPlugins(plan, this.running, this.#cancel.signal, only);
    for (const { message, action } of plan.warnings) this.logger.warn(message, { action });
    if (!ready) return false;
    this.container.seal([...exclusive, ...surroundings.registry.records.map(record => record.token)]);
    if (only === undefined) this.lifecycle.move('ready');
    return true;
  }

  /** Of the service with `plan`, which a reload may have changed; waits for nothing outside the process. */
  async status(plan: Plan, awaitingRestart: ReloadReport['changes'] = []): Promise<ServiceStatus> {
    const { lifecycle, container, running } = this;
    const { describeService } = await import('./status.js');
    return describeService({ plan, lifecycle, container, running, awaitingRestart });
  }

  /** Stops what has been started. */
  async undo(): Promise<void> {
    this.lifecycle.move('stopping', this.#cancel.signal.reason);
    await this.shutDown('the start failed', false);
  }

  /** Ends what runs; with `serving` the clients are notified first. */
  async shutDown(reason: string, serving: boolean): Promise<StopReport> {
    const { plan, container, clock, running: plugins } = this;
    const settings = plan.settings.shutdown;
    const report = await shutDown({ service: plan.service, reason, container, clock, settings, plugins, serving });
    this.lifecycle.move('stopped');
    return report;
  }

  report(ready: boolean): StartReport {
    const failed = this.running.some(plugin => plugin.outcome === 'failed' && !plugin.planned.optional);
    return {
      service: this.plan.service,
      environment: this.plan.environment,
      outcome: ready ? 'ready' : failed ? 'failed' : 'cancelled',
      durationMs: this.clock.now() - this.#startedAt,
      planMs: this.#planMs,
      levels: this.plan.levels.length,
      plugins: this.running
        .filter(plugin => !plugin.leftOut || plugin.error !== undefined)
        .map(plugin => plugin.report(this.running)),
    };
  }

  failure(report: StartReport): KeelsonError {
    const { signal } = this.options;
    if (report.outcome === 'cancelled' && signal?.aborted === true)
      return startCancelled(String(signal.reason), report);
    return new StartError(report, this.#cancel.signal.reason);
  }

  /** Reports a failure to the logger, and to telemetry when it is bound. */
  tell(failure: KeelsonError): void {
    if (failure.code === 'KERNEL_START_CANCELLED') return;
    // Without stacks: they are in what is thrown, and in what telemetry gets.
    this.logger.fatal('service start failed', {
      code: failure.code,
      hint: failure.hint,
      failed: failedOf(this.running),
    });
    if (this.container.isBound(Telemetry)) {
      this.container.get(Telemetry).captureError(failure, { operation: 'kernel.start' });
    }
  }

  /** Cancels the start when asked to or when it takes too long, and says when it takes long. */
  #limit(): Disposable {
    const { signal, onSlowStart } = this.options;
    const { timeoutMs, slowMs } = this.plan.settings.startup;
    const onAbort = () => this.#cancel.abort(startCancelled(String(signal?.reason ?? 'it was asked to stop')));
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    const waitingFor = () => this.running.filter(plugin => plugin.busy).map(plugin => plugin.key);
    const tooLong = this.clock.schedule(timeoutMs, () => this.#cancel.abort(startTooLong(timeoutMs, waitingFor())));
    let slow: Timer;
    const tell = (afterMs: number) => {
      slow = this.clock.schedule(afterMs, () => {
        const message = stillStarting(this.running, this.clock.now() - this.#startedAt);
        this.logger.warn(message);
        onSlowStart?.(message);
        tell(afterMs * 2);
      });
    };
    tell(slowMs);
    return {
      [Symbol.dispose]: () => {
        tooLong.cancel();
        slow.cancel();
        signal?.removeEventListener('abort', onAbort);
      },
    };
  }

  async #instrument(planned: PlannedPlugin, { directory, environment, settings }: LoadedConfig): Promise<void> {
    const { service } = settings;
    this.#early = new RunningPlugin(planned, this.#surroundings({ directory, environment, service }));
    await this.#early.import(this.options.signal);
  }

  #identity(): ServiceControl['identity'] {
    const { config, environment } = planRequest(this.options);
    if (typeof config !== 'string') return undefined;
    const at = this.plan.settings.control.directory;
    return { config, environment, directory: at === undefined ? undefined : resolve(this.plan.directory, at) };
  }

  #surroundings(place: Pick<Plan, 'directory' | 'environment' | 'service'>): Surroundings {
    const { directory, environment, service } = place;
    const { container, clock, lifecycle } = this;
    const { around, only, keepProcess, variables = process.env } = this.options;
    const serving = only === undefined;
    const own = {
      registry: new BindingRegistry([]),
      switchables: new Map(),
      blocking: this.#blocking,
      around,
      keepProcess,
    };
    return { directory, environment, service, container, clock, lifecycle, serving, variables, ...own };
  }
}

/** How long the plan was importing plugins as a whole, several at a time or not. */
function importsMs({ plugins }: Plan): number {
  const spans = plugins.flatMap(({ imported }) => imported ?? []).sort((a, b) => a.from - b.from);
  let covered = 0;
  let until = 0;
  for (const { from, to } of spans) {
    covered += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return covered;
}

/** An import cannot be aborted: it goes on in the background. */
async function unlessCancelled(plan: Promise<Plan>, signal: AbortSignal | undefined): Promise<Plan> {
  const cancelled = Promise.withResolvers<never>();
  const onAbort = () => cancelled.reject(startCancelled(String(signal?.reason)));
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    return await Promise.race([plan, cancelled.promise]);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** `{ database: 'DATABASE_CONNECT_FAILED  The database refused the password.' }` */
function failedOf(running: readonly RunningPlugin[]): Record<string, string> {
  const failed = running.filter(plugin => plugin.outcome === 'failed');
  return Object.fromEntries(failed.map(({ key, error }) => [key, codeAndLine(error)]));
}
