import type { Container } from 'inversify';
import type { Clock } from '../clock.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { Plugin, PluginContext, RunContext } from '../plugin/plugin.js';
import { Logger, silentLogger } from '../slots/logger.js';
import { PluginBindings } from './bindings.js';
import type { Lifecycle } from './lifecycle.js';
import type { PlannedPlugin } from './plan.js';
import type { PluginStartReport, StartOutcome } from './report.js';
import { runWithin } from './run-within.js';
import { tokenName } from './slots.js';

export interface Surroundings {
  readonly container: Container;
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly directory: string;
  readonly service: string;
}

type Step = 'import' | 'register' | 'start' | 'ready';

/** A planned plugin while it lives. The kernel calls its steps in order; each is timed and waits no longer than allowed. */
export class RunningPlugin {
  readonly planned: PlannedPlugin;
  readonly #surroundings: Surroundings;
  readonly #bindings: PluginBindings;
  readonly #times: Record<Step, number> = { import: 0, register: 0, start: 0, ready: 0 };
  #plugin: Plugin | undefined;
  #outcome: StartOutcome = 'not-tried';
  #failure: { readonly step: Step; readonly error: unknown } | undefined;
  /** Whether `start` has been called: then `stop` is owed. */
  #begun = false;
  #letIn = false;
  #busy = false;

  /** `early` is the same plugin, imported and instrumented before the plan was complete. */
  constructor(planned: PlannedPlugin, surroundings: Surroundings, early?: RunningPlugin) {
    this.planned = planned;
    this.#surroundings = surroundings;
    this.#bindings = new PluginBindings(surroundings.container, planned.instance);
    if (early === undefined) return;
    this.#plugin = early.#plugin;
    this.#times.import = early.#times.import;
    this.#failure = early.#failure;
    this.#outcome = early.#outcome;
  }

  get key(): string {
    return this.planned.key;
  }

  get failed(): boolean {
    return this.#outcome === 'failed';
  }

  get started(): boolean {
    return this.#outcome === 'started';
  }

  /** Whether one of its steps is under way. */
  get busy(): boolean {
    return this.#busy;
  }

  get error(): unknown {
    return this.#failure?.error;
  }

  /** Called alone for telemetry, before anything instrumented is imported. */
  async instrument(): Promise<void> {
    await this.#step('import', async () => {
      await this.#import();
      await this.#plugin?.instrument?.(this.#context());
    });
  }

  async import(): Promise<void> {
    if (this.#plugin === undefined) await this.#step('import', () => this.#import());
  }

  async register(): Promise<void> {
    await this.#step('register', async () => {
      await this.#bindings.load(bind => this.#plugin?.register?.({ ...this.#context(), bind }));
      const missing = this.#provided().filter(token => !this.#bindings.has(token));
      if (missing.length > 0) throw this.#notBound(missing.map(tokenName));
    });
  }

  /** Starts it and makes every service it provides. */
  async start(cancel: AbortSignal): Promise<void> {
    this.#begun = true;
    await this.#step('start', () =>
      this.#within('start', this.planned.startTimeoutMs, cancel, async signal => {
        await this.#plugin?.start?.(this.#runContext(signal));
        for (const token of this.#provided()) await this.#bindings.warm(token);
      }),
    );
    if (this.#failure === undefined) this.#outcome = 'started';
  }

  async ready(cancel: AbortSignal): Promise<void> {
    this.#letIn = true;
    await this.#step('ready', () =>
      this.#within('ready', this.planned.startTimeoutMs, cancel, signal =>
        this.#plugin?.ready?.(this.#runContext(signal)),
      ),
    );
  }

  /** @throws what the hook threw, or `KERNEL_STOP_TIMEOUT`. Does nothing for a plugin that never let work in. */
  async drain(timeoutMs: number): Promise<void> {
    if (!this.#letIn) return;
    await this.#within('drain', timeoutMs, undefined, signal => this.#plugin?.drain?.(this.#runContext(signal)));
  }

  /** @throws what the hook threw, or `KERNEL_STOP_TIMEOUT`. */
  async stop(timeoutMs: number): Promise<void> {
    if (!this.#begun) return;
    await this.#within('stop', Math.min(timeoutMs, this.planned.stopTimeoutMs), undefined, signal =>
      this.#plugin?.stop?.(this.#runContext(signal)),
    );
  }

  /** Takes its bindings back; their deactivations run. */
  async unload(): Promise<void> {
    await this.#bindings.unload();
  }

  report(all: readonly RunningPlugin[]): PluginStartReport {
    const missed = all.filter(other => this.planned.needs.has(other.key) && !other.started).map(other => other.key);
    return {
      key: this.key,
      use: this.planned.use,
      level: this.planned.level,
      outcome: this.#outcome,
      importMs: this.#times.import,
      registerMs: this.#times.register,
      startMs: this.#times.start,
      readyMs: this.#times.ready,
      ...(this.#failure !== undefined && { failedIn: this.#failure.step, error: this.#failure.error }),
      ...(this.#outcome === 'not-tried' && { missed }),
    };
  }

  async #step(step: Step, work: () => void | Promise<void>): Promise<void> {
    const { clock } = this.#surroundings;
    const from = clock.now();
    this.#busy = true;
    try {
      await work();
    } catch (error) {
      this.#failure = { step, error };
      this.#outcome = isCancellation(error) ? 'cancelled' : 'failed';
    } finally {
      this.#busy = false;
      this.#times[step] += clock.now() - from;
    }
  }

  async #import(): Promise<void> {
    this.#plugin = await this.planned.load();
  }

  #within(
    hook: string,
    timeoutMs: number,
    cancel: AbortSignal | undefined,
    work: (signal: AbortSignal) => void | Promise<void>,
  ): Promise<void> {
    const onTimeout = (last: unknown) => this.#timedOut(hook, timeoutMs, last);
    return runWithin({ clock: this.#surroundings.clock, timeoutMs, cancel, work, onTimeout });
  }

  #provided() {
    return this.planned.manifest.provides ?? [];
  }

  #context(): PluginContext<unknown> {
    const { clock, lifecycle, directory, service } = this.#surroundings;
    const { key, instance, config } = this.planned;
    return { config, key, instance, service, directory, clock, lifecycle };
  }

  #runContext(signal: AbortSignal): RunContext<unknown> {
    const { container } = this.#surroundings;
    const logger = container.isBound(Logger) ? container.get(Logger) : silentLogger;
    return { ...this.#context(), container, logger: logger.child({ plugin: this.key }), signal };
  }

  #notBound(tokens: readonly string[]): KeelsonError {
    return new KeelsonError({
      code: 'PLUGIN_TOKEN_NOT_BOUND',
      message: `${this.planned.use} says that it provides ${tokens.join(', ')}, but does not bind it.`,
      hint: 'Bind it in `register`, or take it out of `provides`.',
      facts: { plugin: this.key, tokens },
    });
  }

  #timedOut(hook: string, timeoutMs: number, last: unknown): KeelsonError {
    const starting = hook === 'start' || hook === 'ready';
    const because = last instanceof Error ? ` Its last word: ${last.message}` : '';
    return new KeelsonError({
      code: starting ? 'KERNEL_START_TIMEOUT' : 'KERNEL_STOP_TIMEOUT',
      message: `${this.key} did not finish its ${hook} within ${Math.round(timeoutMs)} ms.${because}`,
      hint: starting
        ? `Look at what it connects to, or set plugins.${this.key}.startTimeoutMs.`
        : 'Look at what it was still doing, or give the stop a larger shutdown.budgetMs.',
      facts: { plugin: this.key, hook, timeoutMs },
      cause: last,
    });
  }
}

function isCancellation(error: unknown): boolean {
  return error instanceof KeelsonError && error.code === 'KERNEL_START_CANCELLED';
}
