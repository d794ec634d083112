import 'reflect-metadata';
import type { Container } from 'inversify';
import type { Diagnosis } from '../contract/inspection.js';
import type { Lifecycle } from '../contract/lifecycle.js';
import { makePlan } from '../plan/make-plan.js';
import type { Plan } from '../plan/plan.js';
import { type KernelOptions, planRequest } from './kernel-options.js';
import type { ReloadReport } from './reload.js';
import { firstLine, type StartReport, type StopReport } from './report.js';
import type { RunningPlugin } from './running-plugin.js';
import type { Start } from './start.js';
import type { ServiceStatus } from './status.js';

/** A running service. */
export class Kernel {
  readonly container: Container;
  readonly lifecycle: Lifecycle;
  /** How the start went. */
  readonly report: StartReport;
  readonly #start: Start;
  readonly #revival: Promise<void>;
  #plan: Plan;
  #awaitingRestart: ReloadReport['changes'] = [];
  #stopping: Promise<StopReport> | undefined;
  #reloading: Promise<unknown> = Promise.resolve();

  private constructor(start: Start, report: StartReport, revival: (() => Promise<void>) | undefined) {
    this.container = start.container;
    this.lifecycle = start.lifecycle;
    this.report = report;
    this.#start = start;
    this.#plan = start.plan;
    start.control.serve(this);
    const onError = (error: unknown) => start.logger.error('retries of optional plugins failed', { error });
    if (start.options.only === undefined) {
      start.logger.info('service started', { service: report.service, durationMs: Math.round(report.durationMs) });
    }
    this.#revival = revival?.().catch(onError) ?? Promise.resolve();
  }

  /**
   * What a start would do; connects to nothing and starts nothing. Files of the service are imported, because they
   * carry their own manifest. A wrong configuration is not thrown: see `problems`.
   */
  static plan(options: KernelOptions): Promise<Plan> {
    return makePlan(planRequest(options));
  }

  /**
   * Starts the service. Once the promise resolves, everything is ready, and `container.get` is synchronous for every
   * service that a plugin provides. Optional plugins that did not start are tried again in the background.
   *
   * @throws PlanError `KERNEL_PLAN_INVALID` with all problems; nothing was started.
   * @throws StartError `KERNEL_START_FAILED`; what had started was stopped again.
   * @throws KeelsonError `KERNEL_START_CANCELLED` when `signal` aborted; what had started was stopped again.
   */
  static async start(options: KernelOptions): Promise<Kernel> {
    // Here alone: the container is heavy, and a mere plan needs none.
    const { Start } = await import('./start.js');
    const start = await Start.plan(options);
    options.onStarting?.({ plan: start.plan, status: () => start.status(start.plan) });
    const ready = await start.run();
    const report = start.report(ready);
    if (ready) return new Kernel(start, report, await revivalOf(start));
    const failure = start.failure(report);
    start.tell(failure);
    await start.undo();
    throw failure;
  }

  /** What runs, and why. */
  get plan(): Plan {
    return this.#plan;
  }

  /**
   * Reads the configuration again and applies changed values that a plugin declares reloadable. Every other changed value
   * stays as it was; the report lists it as needing a restart. Reloads run one after the other.
   *
   * @throws PlanError when the new configuration is invalid; nothing has changed then.
   */
  reload(): Promise<ReloadReport> {
    const run = this.#reloading.then(async () => {
      const { reload } = await import('./reload.js');
      const { plan, report } = await reload(this.#plan, await Kernel.plan(this.#start.options), this.#start.running);
      this.#plan = plan;
      this.#awaitingRestart = report.changes.filter(({ outcome }) => outcome === 'needs-restart');
      return report;
    });
    this.#reloading = run.catch(() => undefined);
    return run;
  }

  /** Runs the checks of the running plugins; returns the results by plugin key. A failed check is a result: it does not throw. */
  async diagnose(): Promise<ReadonlyMap<string, readonly Diagnosis[]>> {
    const { running } = this.#start;
    const found = await Promise.all(running.map(async plugin => [plugin.key, await diagnose(plugin)] as const));
    return new Map(found.flatMap(([key, diagnoses]) => (diagnoses === undefined ? [] : [[key, diagnoses] as const])));
  }

  /**
   * Returns the current status of the service: its readiness, and the report of each plugin. Waits for nothing outside
   * the process. A plugin that fails to report has an error in its place; the method does not throw.
   */
  status(): Promise<ServiceStatus> {
    return this.#start.status(this.#plan, this.#awaitingRestart);
  }

  /**
   * Runs an operation of a plugin. `words` are the arguments of the operation in their order, `named` further arguments by
   * name. Resolves to the result as a sentence. An operation that changed something is logged.
   *
   * @throws KeelsonError `KERNEL_OPERATION_UNKNOWN` with the names of the existing operations; `KERNEL_OPERATION_INVALID`
   * with all problems of the arguments; `KERNEL_HOOK_TIMEOUT`; and what the operation itself throws.
   */
  async operate(
    plugin: string,
    operation: string,
    words: readonly string[],
    named: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { operate } = await import('./operate.js');
    const { done, changed, given } = await operate(this.#start.running, { plugin, operation, words, named });
    if (changed) this.#start.logger.info('operation applied', { plugin, operation, given });
    return done;
  }

  /**
   * Stops the service: readiness fails, work drains, plugins stop in reverse order, logs and traces are flushed. Throws
   * nothing: what went wrong is in the report. Calls after the first share its result.
   */
  stop(reason = 'stop was called'): Promise<StopReport> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(reason: string): Promise<StopReport> {
    const { container, lifecycle, logger, options } = this.#start;
    const { service, settings } = this.#plan;
    const { noticeMs } = settings.shutdown;
    logger.info('service stop started', { service, reason, ...(noticeMs > 0 && { noticeMs }) });
    lifecycle.move('stopping', reason);
    await this.#revival;
    container.unseal();
    return this.#start.shutDown(reason, options.only === undefined);
  }
}

/** Undefined where nothing is to be started again, as after most starts: they need no code for it. */
async function revivalOf(start: Start): Promise<(() => Promise<void>) | undefined> {
  if (start.options.only !== undefined || start.running.every(({ outcome }) => outcome === 'started')) return undefined;
  const { revive } = await import('./revival.js');
  return () => revive(start);
}

async function diagnose(plugin: RunningPlugin): Promise<readonly Diagnosis[] | undefined> {
  try {
    return await plugin.diagnose();
  } catch (error) {
    return [
      { name: 'diagnosis', status: 'fail', output: firstLine(error), hint: 'Fix the error above in the plugin.' },
    ];
  }
}
