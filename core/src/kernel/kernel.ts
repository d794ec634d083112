import 'reflect-metadata';
import { Container } from 'inversify';
import { type Clock, systemClock } from '../clock.js';
import type { LoadedConfig } from '../config/load-config.js';
import type { Variables } from '../config/variables.js';
import type { Plugin } from '../plugin/plugin.js';
import { Logger, silentLogger } from '../slots/logger.js';
import { bindStandards, boot } from './boot.js';
import { PlanError, StartError, startCancelled, startTooLong } from './errors.js';
import { type Lifecycle, LifecycleControl } from './lifecycle.js';
import { makePlan, type Plan, type PlannedPlugin } from './plan.js';
import type { BootReport, StopReport } from './report.js';
import { RunningPlugin, type Surroundings } from './running-plugin.js';
import { shutDown } from './shutdown.js';

export interface KernelOptions {
  /** A YAML or JSON file, or the same content as an object. */
  readonly config: string | Readonly<Record<string, unknown>>;
  /** Whose overlay file is laid over it: `production` for `keelson.production.yaml`. Default: `KEELSON_ENV`. */
  readonly environment?: string;
  /** The highest layer, in the shape of the file. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** Where `${VAR}` and `KEELSON_<SLOT>__<KEY>` are looked up. Default: `process.env`. */
  readonly variables?: Variables;
  readonly clock?: Clock;
  /** Plugins by key, instead of what `use` names; their configuration comes from `overrides`. */
  readonly plugins?: Readonly<Record<string, Plugin>>;
  /** Where relative paths start when `config` is an object. Default: the working directory. */
  readonly directory?: string;
  /** Cancels the start. */
  readonly signal?: AbortSignal;
}

/** A running service. */
export class Kernel {
  readonly container: Container;
  readonly plan: Plan;
  /** How the start went. */
  readonly report: BootReport;
  readonly #lifecycle: LifecycleControl;
  readonly #clock: Clock;
  readonly #plugins: readonly RunningPlugin[];
  #stopping: Promise<StopReport> | undefined;

  private constructor(start: Start, report: BootReport) {
    this.container = start.container;
    this.plan = start.plan;
    this.report = report;
    this.#lifecycle = start.lifecycle;
    this.#clock = start.clock;
    this.#plugins = start.running;
  }

  /**
   * What a start would do; connects to nothing and starts nothing. Files of the service are imported, because they
   * carry their own manifest. A wrong configuration is not thrown: see `problems`.
   */
  static plan(options: KernelOptions): Promise<Plan> {
    return makePlan(planRequest(options));
  }

  /**
   * Starts the service. When it resolves everything is ready, and `container.get` is synchronous for every service.
   *
   * @throws PlanError `KERNEL_PLAN_INVALID` with all problems; nothing was started.
   * @throws StartError `KERNEL_START_FAILED`; what had started was stopped again.
   * @throws KeelsonError `KERNEL_START_CANCELLED` when `signal` aborted; what had started was stopped again.
   */
  static async start(options: KernelOptions): Promise<Kernel> {
    const start = await Start.plan(options);
    const ready = await start.run();
    const report = start.report(ready);
    if (ready) return new Kernel(start, report);
    await start.undo();
    throw start.failure(report);
  }

  get lifecycle(): Lifecycle {
    return this.#lifecycle;
  }

  /**
   * Stops the service: readiness fails, work drains, plugins stop in reverse order, logs and traces are flushed. Throws
   * nothing: what went wrong is in the report. Calls after the first share its result.
   */
  stop(reason = 'stop was called'): Promise<StopReport> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  async #stop(reason: string): Promise<StopReport> {
    this.#lifecycle.move('stopping', reason);
    const report = await shutDown({
      service: this.plan.service,
      reason,
      container: this.container,
      clock: this.#clock,
      settings: this.plan.settings.shutdown,
      plugins: this.#plugins,
      serving: true,
    });
    this.#lifecycle.move('stopped');
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function planRequest(options: KernelOptions) {
  const variables = options.variables ?? process.env;
  return {
    config: options.config,
    environment: options.environment ?? variables.KEELSON_ENV,
    variables,
    overrides: options.overrides ?? {},
    plugins: options.plugins ?? {},
    ...(options.directory !== undefined && { directory: options.directory }),
  };
}

/** One start, from the plan to ready or to undone. */
class Start {
  readonly container = new Container();
  readonly clock: Clock;
  readonly lifecycle: LifecycleControl;
  running: readonly RunningPlugin[] = [];
  readonly #cancel = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #startedAt: number;
  #plan: Plan | undefined;
  #planMs = 0;
  #early: RunningPlugin | undefined;

  private constructor(options: KernelOptions) {
    this.clock = options.clock ?? systemClock;
    this.#startedAt = this.clock.now();
    this.#signal = options.signal;
    this.lifecycle = new LifecycleControl(error => this.#logger.error('A lifecycle listener failed.', { error }));
  }

  static async plan(options: KernelOptions): Promise<Start> {
    const start = new Start(options);
    const plan = await makePlan({
      ...planRequest(options),
      beforeImports: (...telemetry) => start.#instrument(...telemetry),
    });
    if (plan.problems.length > 0) throw new PlanError(plan);
    start.#plan = plan;
    start.#planMs = start.clock.now() - start.#startedAt;
    return start;
  }

  get plan(): Plan {
    if (this.#plan === undefined) throw new Error('bug: the plan was asked for before it was made');
    return this.#plan;
  }

  async run(): Promise<boolean> {
    const { plan } = this;
    this.running = plan.plugins.map(planned => this.#adopt(planned));
    bindStandards(this.container, plan, this.#surroundings(plan));

    const onAbort = () => this.#cancel.abort(startCancelled(String(this.#signal?.reason ?? 'it was asked to stop')));
    this.#signal?.addEventListener('abort', onAbort, { once: true });
    if (this.#signal?.aborted) onAbort();
    const { timeoutMs } = plan.settings.startup;
    const timer = this.clock.schedule(timeoutMs, () => this.#cancel.abort(startTooLong(timeoutMs, this.#waitingFor())));
    try {
      const ready = await boot(plan, this.running, this.#cancel.signal);
      if (ready) this.lifecycle.move('ready');
      return ready;
    } finally {
      timer.cancel();
      this.#signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Stops what has been started. */
  async undo(): Promise<void> {
    this.lifecycle.move('stopping', this.#cancel.signal.reason);
    await shutDown({
      service: this.plan.service,
      reason: 'the start failed',
      container: this.container,
      clock: this.clock,
      settings: this.plan.settings.shutdown,
      plugins: this.running,
      serving: false,
    });
    this.lifecycle.move('stopped');
  }

  report(ready: boolean): BootReport {
    const failed = this.running.some(plugin => plugin.failed);
    return {
      service: this.plan.service,
      environment: this.plan.environment,
      outcome: ready ? 'ready' : failed ? 'failed' : 'cancelled',
      durationMs: this.clock.now() - this.#startedAt,
      planMs: this.#planMs,
      levels: this.plan.levels.length,
      plugins: this.running.map(plugin => plugin.report(this.running)),
    };
  }

  failure(report: BootReport): Error {
    const reason: unknown = this.#cancel.signal.reason;
    if (report.outcome === 'cancelled' && this.#signal?.aborted === true) {
      return startCancelled(String(this.#signal.reason), report);
    }
    return new StartError(report, reason);
  }

  async #instrument(planned: PlannedPlugin, { directory, settings }: LoadedConfig): Promise<void> {
    this.#early = new RunningPlugin(planned, this.#surroundings({ directory, service: settings.service }));
    await this.#early.instrument();
  }

  #adopt(planned: PlannedPlugin): RunningPlugin {
    const early = planned.key === this.#early?.key ? this.#early : undefined;
    return new RunningPlugin(planned, this.#surroundings(this.plan), early);
  }

  #surroundings({ directory, service }: { directory: string; service: string }): Surroundings {
    return { container: this.container, clock: this.clock, lifecycle: this.lifecycle, directory, service };
  }

  #waitingFor(): string[] {
    return this.running.filter(plugin => plugin.busy).map(plugin => plugin.key);
  }

  get #logger(): Logger {
    return this.container.isBound(Logger) ? this.container.get(Logger) : silentLogger;
  }
}
