import { type BindingRegistry, PluginBindings } from '../container/bindings.js';
import { checkLifetimes } from '../container/lifetimes.js';
import type { ServiceContainer } from '../container/service-container.js';
import type { SwitchableService } from '../container/switchable-service.js';
import type { Clock } from '../contract/clock.js';
import { isKeelsonError } from '../contract/keelson-error.js';
import type { Lifecycle } from '../contract/lifecycle.js';
import type { Inspection, Operation, OperationOutcome } from '../contract/operation.js';
import type { Plugin } from '../contract/plugin.js';
import type { Diagnosis, PluginContext, RunContext } from '../contract/plugin-context.js';
import { Logger, silentLogger } from '../contract/slots/logger.js';
import type { ServiceToken } from '../contract/token.js';
import { serviceName } from '../plan/decorations.js';
import type { PlannedPlugin } from '../plan/plan.js';
import { slotNamed, tokenName } from '../plan/slots.js';
import { maskText } from '../secrets/mask-text.js';
import { maskTextsIn } from '../secrets/mask-values.js';
import { runWithin } from '../time/run-within.js';
import type { Blocking } from './blocking.js';
import { heedsSignal, hookTimedOut, notBound } from './errors.js';
import type { PluginStartReport, StartOutcome, StartStep } from './report.js';

/** Longer than this no plugin may think about what it knows of itself, in milliseconds. */
const inspectTimeoutMs = 1_000;

/** What all plugins of a service live in. */
export interface Surroundings {
  readonly container: ServiceContainer;
  readonly registry: BindingRegistry;
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly directory: string;
  readonly service: string;
  readonly environment: string | undefined;
  /** By key: who stands in for the optional plugins. */
  readonly switchables: ReadonlyMap<string, SwitchableService>;
  /** False when a tool starts the plugins only to ask them something. */
  readonly serving: boolean;
  readonly blocking: Blocking;
}

/** A planned plugin while it lives. The kernel calls its steps in order; each is timed and waits no longer than allowed. */
export class RunningPlugin {
  readonly planned: PlannedPlugin;
  readonly #surroundings: Surroundings;
  readonly #bindings: PluginBindings;
  readonly #switchable: SwitchableService | undefined;
  #times: Record<StartStep, number>;
  /** Of these times, by key: what it has blocked itself, and what others have while it could not go on. */
  #blocked = new Map<string, number>();
  #plugin: Plugin | undefined;
  #outcome: StartOutcome = 'not-tried';
  #failure: { readonly step: StartStep; readonly error: unknown } | undefined;
  #config: unknown;
  /** Whether `start` has been called: then `stop` is owed. */
  #begun = false;
  #letIn = false;
  #leftOut = false;
  #busy: { readonly step: StartStep; readonly since: number } | undefined;
  #waitsFor: string | undefined;

  /** `early` is the same plugin, imported and instrumented before the plan was complete. */
  constructor(planned: PlannedPlugin, surroundings: Surroundings, early?: RunningPlugin) {
    this.planned = planned;
    this.#surroundings = surroundings;
    this.#config = planned.config;
    const { from, to } = planned.imported ?? { from: 0, to: 0 };
    this.#times = { import: to - from, register: 0, start: 0, ready: 0 };
    this.#switchable = surroundings.switchables.get(planned.key);
    const behind = this.#switchable && slotNamed(planned.key)?.token;
    this.#bindings = new PluginBindings(surroundings.container, surroundings.registry, planned, behind);
    if (early === undefined) return;
    this.#plugin = early.#plugin;
    this.#times = early.#times;
    this.#blocked = early.#blocked;
    this.#failure = early.#failure;
    this.#outcome = early.#outcome;
  }

  get key(): string {
    return this.planned.key;
  }

  get outcome(): StartOutcome {
    return this.#outcome;
  }

  get error(): unknown {
    return this.#failure?.error;
  }

  /** The step that is under way, for how long, and what it says that it waits for. */
  get busy(): false | { readonly step: StartStep; readonly forMs: number; readonly waitsFor: string | undefined } {
    if (this.#busy === undefined) return false;
    const { step, since } = this.#busy;
    return { step, forMs: this.#surroundings.clock.now() - since, waitsFor: this.#waitsFor };
  }

  /** Whether this start is about others alone, or that is not decided yet. */
  get leftOut(): boolean {
    return this.#leftOut;
  }

  get diagnoses(): boolean {
    return this.#plugin?.diagnose !== undefined;
  }

  /** With `true` it is not to be started, and nobody waits for it. */
  leaveOut(leftOut: boolean): void {
    this.#leftOut = leftOut;
  }

  /** Called alone for telemetry, before anything instrumented is imported. */
  async instrument(cancel: AbortSignal | undefined): Promise<void> {
    const { startTimeoutMs } = this.planned;
    await this.#step('import', async () => {
      await this.#import(cancel);
      await this.#within('instrument', startTimeoutMs, cancel, () => this.#plugin?.instrument?.(this.#context()));
    });
  }

  async import(cancel: AbortSignal): Promise<void> {
    if (this.#plugin === undefined) await this.#step('import', () => this.#import(cancel));
  }

  async register(cancel: AbortSignal): Promise<void> {
    const { startTimeoutMs } = this.planned;
    await this.#step('register', async () => {
      await this.#within('register', startTimeoutMs, cancel, () =>
        this.#bindings.load((bind, decorate) => this.#plugin?.register?.({ ...this.#context(), bind, decorate })),
      );
      const missing = this.#provided.filter(token => !this.#bindings.has(token)).map(tokenName);
      if (missing.length > 0) throw notBound(this.planned, missing);
    });
  }

  /** After all have registered and before any starts. */
  async checkLifetimes(perSession: PlannedPlugin['manifest']['perSession']): Promise<void> {
    const { registry, container } = this.#surroundings;
    await this.#step('register', () => checkLifetimes(this.key, registry.records, perSession ?? [], container));
  }

  /** Starts it and makes every service it provides. */
  async start(cancel: AbortSignal): Promise<void> {
    this.#begun = true;
    const { startTimeoutMs } = this.planned;
    await this.#step('start', () =>
      this.#within('start', startTimeoutMs, cancel, async signal => {
        await this.#plugin?.start?.(this.#runContext(signal));
        for (const token of this.#provided) await this.#warm(token);
      }),
    );
    if (this.#failure === undefined) this.#outcome = 'started';
  }

  async ready(cancel: AbortSignal): Promise<void> {
    this.#letIn = true;
    const { startTimeoutMs } = this.planned;
    await this.#step('ready', () => this.#hook('ready', startTimeoutMs, cancel));
  }

  /** @throws what the hook threw, or `KERNEL_HOOK_TIMEOUT`; then the plugin goes on with the values it had. */
  async reconfigure(config: unknown): Promise<void> {
    const before = this.#config;
    this.#config = config;
    try {
      await this.#hook('reconfigure', this.planned.startTimeoutMs);
    } catch (error) {
      this.#config = before;
      throw error;
    }
  }

  async diagnose(): Promise<readonly Diagnosis[]> {
    return this.#within('diagnose', this.planned.startTimeoutMs, undefined, async signal => {
      const found = (await this.#plugin?.diagnose?.(this.#runContext(signal))) ?? [];
      return maskTextsIn(found);
    });
  }

  /** What it tells of itself; undefined when it tells nothing, or has not started. */
  async inspect(): Promise<Inspection | undefined> {
    if (this.#outcome !== 'started') return undefined;
    return this.#within('inspect', inspectTimeoutMs, undefined, signal =>
      this.#plugin?.inspect?.(this.#runContext(signal)),
    );
  }

  /** What can be done to it; nothing when it has not started. */
  get operations(): Readonly<Record<string, Operation>> {
    return (this.#outcome === 'started' && this.#plugin?.operations) || {};
  }

  /** @throws what the operation threw, or `KERNEL_HOOK_TIMEOUT`. */
  async operate(operation: Operation, given: unknown): Promise<OperationOutcome> {
    const said = await this.#within('operation', this.planned.startTimeoutMs, undefined, signal =>
      operation.run(given, this.#runContext(signal)),
    );
    const { done, changed } = typeof said === 'string' ? { done: said, changed: true } : said;
    return { done: maskText(done), changed };
  }

  /** @throws what the hook threw, or `KERNEL_STOP_TIMEOUT`. Does nothing for a plugin that never let work in. */
  async drain(timeoutMs: number, partingMs: number): Promise<void> {
    if (this.#letIn) await this.#hook('drain', timeoutMs, undefined, partingMs);
  }

  /** @throws what the hook threw, or `KERNEL_STOP_TIMEOUT`. Does nothing when no stop is owed. */
  async stop(timeoutMs: number, partingMs?: number): Promise<void> {
    if (!this.#begun) return;
    this.#begun = false;
    await this.#hook('stop', Math.min(timeoutMs, this.planned.stopTimeoutMs), undefined, partingMs);
  }

  /**
   * Takes its bindings back; their deactivations run.
   *
   * @throws what a deactivation threw, or `KERNEL_STOP_TIMEOUT`.
   */
  async unload(timeoutMs: number): Promise<void> {
    this.#switchable?.switchToDefault();
    await this.#within('deactivation', timeoutMs, undefined, () => this.#bindings.unload());
  }

  /** Cleans up after a failure, so that it can be tried again from `register` on. What fails in it is dropped. */
  async giveUp(): Promise<void> {
    await this.stop(this.planned.stopTimeoutMs).catch(() => undefined);
    await this.unload(this.planned.stopTimeoutMs).catch(() => undefined);
    this.#letIn = false;
  }

  /** Forgets the failure. */
  renew(): void {
    this.#failure = undefined;
    this.#outcome = 'not-tried';
  }

  report(all: readonly RunningPlugin[]): PluginStartReport {
    const decorates = [...new Set(this.#bindings.decorated.map(serviceName))];
    const missed = all.filter(other => this.planned.needs.has(other.key) && other.outcome !== 'started');
    return {
      key: this.key,
      use: this.planned.use,
      level: this.planned.level,
      optional: this.planned.optional,
      outcome: this.#outcome,
      importMs: this.#times.import,
      registerMs: this.#times.register,
      startMs: this.#times.start,
      readyMs: this.#times.ready,
      blockedMs: this.#blocked.get(this.key) ?? 0,
      behind: Object.fromEntries([...this.#blocked].filter(([key]) => key !== this.key)),
      ...(decorates.length > 0 && { decorates }),
      ...(this.#failure !== undefined && { failedIn: this.#failure.step, error: this.#failure.error }),
      ...(this.#outcome === 'not-tried' && { missed: missed.map(other => other.key) }),
    };
  }

  async #step(step: StartStep, work: () => void | Promise<void>): Promise<void> {
    const { clock, blocking } = this.#surroundings;
    const from = clock.now();
    this.#busy = { step, since: from };
    try {
      await work();
    } catch (error) {
      this.#failure = { step, error };
      this.#outcome = isKeelsonError(error, 'KERNEL_START_CANCELLED') ? 'cancelled' : 'failed';
    } finally {
      this.#busy = undefined;
      this.#waitsFor = undefined;
      const to = clock.now();
      this.#times[step] += to - from;
      for (const [key, ms] of blocking.between(from, to)) this.#blocked.set(key, (this.#blocked.get(key) ?? 0) + ms);
    }
  }

  async #import(cancel: AbortSignal | undefined): Promise<void> {
    const { load, startTimeoutMs } = this.planned;
    this.#plugin = await this.#within('import', startTimeoutMs, cancel, load);
  }

  async #warm(token: ServiceToken): Promise<void> {
    const service = await this.#surroundings.blocking.watch(this.key, () => this.#bindings.warm(token));
    if (token === slotNamed(this.key)?.token) this.#switchable?.switchTo(service as object);
  }

  async #hook(
    hook: 'ready' | 'reconfigure' | 'drain' | 'stop',
    timeoutMs: number,
    cancel?: AbortSignal,
    partingMs?: number,
  ): Promise<void> {
    if (this.#plugin?.[hook] === undefined) return cancel?.throwIfAborted();
    const work = (signal: AbortSignal) => this.#plugin?.[hook]?.(this.#runContext(signal));
    await this.#within(hook, timeoutMs, cancel, work, partingMs);
  }

  #within<T>(
    hook: string,
    timeoutMs: number,
    cancel: AbortSignal | undefined,
    work: (signal: AbortSignal) => T | Promise<T>,
    partingMs?: number,
  ): Promise<T> {
    const onTimeout = (last: unknown) => hookTimedOut(this.key, hook, timeoutMs, this.#waitsFor, last);
    const heeds = heedsSignal(hook);
    const { clock, blocking } = this.#surroundings;
    const watched = (signal: AbortSignal) => blocking.watch(this.key, () => work(signal));
    return runWithin({ clock, timeoutMs, cancel, work: watched, onTimeout, partingMs: heeds ? partingMs : 0 });
  }

  get #provided() {
    return this.planned.manifest.provides ?? [];
  }

  #context(): PluginContext<unknown> {
    const { clock, lifecycle, directory, service, environment, serving } = this.#surroundings;
    const { key, instance } = this.planned;
    return { config: this.#config, key, instance, service, environment, directory, clock, lifecycle, serving };
  }

  #runContext(signal: AbortSignal): RunContext<unknown> {
    const { container } = this.#surroundings;
    const logger = container.isBound(Logger) ? container.get(Logger) : silentLogger;
    const waitingFor = (what: string) => {
      this.#waitsFor = maskText(what);
    };
    return { ...this.#context(), container, logger: logger.child({ plugin: this.key }), signal, waitingFor };
  }
}
