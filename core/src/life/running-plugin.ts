import type { MapNode } from '../config/node.js';
import { PluginBindings } from '../container/bindings.js';
import { checkLifetimes } from '../container/lifetimes.js';
import type { SwitchableService } from '../container/switchable-service.js';
import type { Diagnosis, Inspection } from '../contract/inspection.js';
import type { Operation, OperationOutcome } from '../contract/operation.js';
import type { RunContext } from '../contract/plugin-context.js';
import type { ServiceToken } from '../contract/token.js';
import { serviceName } from '../plan/decorations.js';
import type { PlannedPlugin } from '../plan/plan.js';
import { tokenName } from '../plan/slots.js';
import { callAround } from '../plan/start-part.js';
import { maskText } from '../secrets/mask-text.js';
import { maskTextsIn } from '../secrets/mask-values.js';
import { notBound } from './errors.js';
import { HookCalls } from './hook-calls.js';
import { afterInstrument, afterRegister, afterStart, checkImported, checkStarted } from './next-step.js';
import {
  movePlugin,
  outcomeOf,
  type PluginMove,
  type PluginState,
  readyIn,
  startedIn,
  takenIn,
} from './plugin-state.js';
import type { PluginStartReport, StartOutcome, StartStep } from './report.js';
import type { Surroundings } from './surroundings.js';
import { TakenResources } from './taken-resources.js';

/** Longest wait for the report of a plugin about itself, in milliseconds. */
const inspectTimeoutMs = 1_000;

/** A planned plugin while it lives. The kernel calls its steps in order; each is timed and waits no longer than allowed. */
export class RunningPlugin {
  readonly planned: PlannedPlugin;
  /**
   * True when this start does not include the plugin (`only`), or has not decided that yet. It is not started then, and no
   * other plugin waits for it.
   */
  leftOut = false;
  readonly #surroundings: Surroundings;
  readonly #bindings: PluginBindings;
  readonly #switchable: SwitchableService | undefined;
  readonly #calls: HookCalls;
  readonly #times: Record<StartStep, number>;
  /** Of these times, by key: what it has blocked itself, and what others have while it could not go on. */
  readonly #blocked: Map<string, number>;
  #state: PluginState;
  #busy: { readonly step: StartStep; readonly since: number } | undefined;

  /** `early` is the same plugin, imported and instrumented before the plan was complete. */
  constructor(planned: PlannedPlugin, surroundings: Surroundings, early?: RunningPlugin) {
    this.planned = planned;
    this.#surroundings = surroundings;
    this.#calls = new HookCalls(planned, surroundings);
    this.#switchable = surroundings.switchables.get(planned.key);
    const behind = this.#switchable?.token;
    this.#bindings = new PluginBindings(surroundings.container, surroundings.registry, planned, behind);
    const { from, to } = planned.imported ?? { from: 0, to: 0 };
    this.#times = early ? early.#times : { import: to - from, register: 0, start: 0, ready: 0 };
    this.#blocked = early ? early.#blocked : new Map();
    this.#state = early ? early.#state : { at: 'planned' };
  }

  get key(): string {
    return this.planned.key;
  }

  get outcome(): StartOutcome {
    return outcomeOf(this.#state);
  }

  get error(): unknown {
    return this.#state.at === 'failed' ? this.#state.error : undefined;
  }

  /** The running step, its duration, and what it says that it waits for. */
  get busy(): false | { readonly step: StartStep; readonly forMs: number; readonly waitsFor: string | undefined } {
    if (this.#busy === undefined) return false;
    const { step, since } = this.#busy;
    return { step, forMs: this.#surroundings.clock.now() - since, waitsFor: this.#calls.waitsFor };
  }

  /** Imports the plugin and lets it hook modules, once. */
  async import(cancel: AbortSignal | undefined): Promise<void> {
    if (this.#state.at !== 'planned') return;
    await this.#step('import', async () => {
      const plugin = await this.#calls.call({ hook: 'import', cancel, work: this.planned.load });
      checkImported(plugin, this.planned);
      const work = () => plugin.instrument?.(this.#calls.context());
      const returned = await this.#calls.call({ hook: 'instrument', cancel, work });
      this.#move({ to: 'imported', plugin: afterInstrument(plugin, returned, this.planned) });
    });
  }

  async register(cancel: AbortSignal): Promise<void> {
    const state = this.#state;
    if (state.at !== 'imported') return;
    await this.#step('register', async () => {
      const returned = await this.#calls.call({
        hook: 'register',
        cancel,
        work: () =>
          this.#bindings.load((bind, decorate) =>
            state.plugin.register?.({ ...this.#calls.context(), bind, decorate }),
          ),
      });
      const missing = this.#provided.filter(token => !this.#bindings.has(token)).map(tokenName);
      if (missing.length > 0) throw notBound(this.planned, missing);
      this.#move({ to: 'registered', registered: afterRegister(state.plugin, returned, this.planned) });
    });
  }

  /** After all have registered and before any starts. */
  async checkLifetimes(perSession: PlannedPlugin['manifest']['perSession']): Promise<void> {
    const { registry, container } = this.#surroundings;
    await this.#step('register', () => checkLifetimes(this.key, registry.records, perSession ?? [], container));
  }

  /** Starts it and makes every service it provides. */
  async start(cancel: AbortSignal): Promise<void> {
    const state = this.#state;
    if (state.at !== 'registered') return;
    const taken = new TakenResources();
    this.#move({ to: 'starting', taken });
    await this.#step('start', async () => {
      const started = await this.#calls.callRunning({
        hook: 'start',
        cancel,
        work: async context => {
          const defer = taken.defer.bind(taken);
          const started = afterStart(await state.registered.start?.({ ...context, defer }));
          taken.defer(stopping => started.stop?.(stopping));
          checkStarted(started, this.planned);
          for (const token of this.#provided) await this.#warm(token);
          return started;
        },
      });
      this.#move({ to: 'started', started });
    });
  }

  async ready(cancel: AbortSignal): Promise<void> {
    const started = startedIn(this.#state);
    if (started === undefined) return;
    this.#move({ to: 'ready' });
    await this.#step('ready', async () => {
      if (started.ready === undefined) return cancel.throwIfAborted();
      const work = (context: RunContext<unknown>) => started.ready?.(context);
      await this.#calls.callRunning({ hook: 'ready', cancel, work });
    });
  }

  /**
   * One that does not run takes the new values when it is started again.
   *
   * @throws what the hook threw, or `KERNEL_HOOK_TIMEOUT`; then the plugin goes on with the values it had.
   */
  async reconfigure(config: unknown, node: MapNode): Promise<void> {
    const undo = this.#calls.configure(config, node);
    const started = startedIn(this.#state);
    if (started?.reconfigure === undefined) return;
    const work = (context: RunContext<unknown>) => started.reconfigure?.(context);
    try {
      await this.#calls.callRunning({ hook: 'reconfigure', work });
    } catch (error) {
      undo();
      throw error;
    }
  }

  /** It runs, and has no hook that takes new values. */
  get keepsItsValues(): boolean {
    const started = startedIn(this.#state);
    return started !== undefined && started.reconfigure === undefined;
  }

  /** What it finds out; undefined when it looks at nothing, or does not run. */
  async diagnose(): Promise<readonly Diagnosis[] | undefined> {
    const started = startedIn(this.#state);
    if (started?.diagnose === undefined) return undefined;
    const work = (context: RunContext<unknown>) => started.diagnose?.(context);
    const found = await this.#calls.callRunning({ hook: 'diagnose', work });
    return found && maskTextsIn(found);
  }

  /** Returns the report of the plugin about itself; undefined when it has no report or does not run. */
  async inspect(): Promise<Inspection | undefined> {
    const started = startedIn(this.#state);
    const work = (context: RunContext<unknown>) => started?.inspect?.(context);
    return this.#calls.callRunning({ hook: 'inspect', timeoutMs: inspectTimeoutMs, work });
  }

  /** What can be done to it; nothing when it does not run. */
  get operations(): Readonly<Record<string, Operation>> {
    return startedIn(this.#state)?.operations ?? {};
  }

  /** @throws what the operation threw, or `KERNEL_HOOK_TIMEOUT`. */
  async operate(operation: Operation, given: unknown): Promise<OperationOutcome> {
    const work = (context: RunContext<unknown>) => operation.run(given, context);
    const said = await this.#calls.callRunning({ hook: 'operation', work });
    const { done, changed } = typeof said === 'string' ? { done: said, changed: true } : said;
    return { done: maskText(done), changed };
  }

  /** @throws what the hook threw, or `KERNEL_STOP_TIMEOUT`. Does nothing for a plugin that never let work in. */
  async drain(timeoutMs: number, partingMs: number): Promise<void> {
    const started = readyIn(this.#state);
    if (started?.drain === undefined) return;
    const work = (context: RunContext<unknown>) => started.drain?.(context);
    await this.#calls.callRunning({ hook: 'drain', timeoutMs, work, partingMs });
  }

  /** @throws what the hooks threw, or `KERNEL_STOP_TIMEOUT`. Does nothing when the plugin holds no resources. */
  async stop(longestMs: number, partingMs?: number): Promise<void> {
    const taken = takenIn(this.#state);
    this.#move({ to: 'stopped' });
    if (taken === undefined) return;
    const timeoutMs = Math.min(longestMs, this.planned.stopTimeoutMs);
    const work = (context: RunContext<unknown>) => taken.giveBack(context);
    await this.#calls.callRunning({ hook: 'stop', timeoutMs, work, partingMs });
  }

  /**
   * Takes its bindings back; their deactivations run.
   *
   * @throws what a deactivation threw, or `KERNEL_STOP_TIMEOUT`.
   */
  async unload(timeoutMs: number): Promise<void> {
    this.#switchable?.switchToDefault();
    await this.#calls.call({ hook: 'deactivation', timeoutMs, work: () => this.#bindings.unload() });
  }

  /** Cleans up after a failure, so that it can be tried again from `register` on. What fails in it is dropped. */
  async giveUp(): Promise<void> {
    await this.stop(this.planned.stopTimeoutMs).catch(() => undefined);
    await this.unload(this.planned.stopTimeoutMs).catch(() => undefined);
  }

  renew(): void {
    this.#move({ to: 'renewed' });
  }

  report(all: readonly RunningPlugin[]): PluginStartReport {
    const state = this.#state;
    const decorates = [...new Set(this.#bindings.decorated.map(serviceName))];
    const missed = all.filter(other => this.planned.needs.has(other.key) && other.outcome !== 'started');
    return {
      key: this.key,
      use: this.planned.use,
      level: this.planned.level,
      optional: this.planned.optional,
      outcome: this.outcome,
      importMs: this.#times.import,
      registerMs: this.#times.register,
      startMs: this.#times.start,
      readyMs: this.#times.ready,
      blockedMs: this.#blocked.get(this.key) ?? 0,
      behind: Object.fromEntries([...this.#blocked].filter(([key]) => key !== this.key)),
      ...(decorates.length > 0 && { decorates }),
      ...(state.at === 'failed' && { failedIn: state.step, error: state.error }),
      ...(this.outcome === 'not-tried' && { missed: missed.map(other => other.key) }),
    };
  }

  #move(move: PluginMove): void {
    this.#state = movePlugin(this.#state, move);
  }

  async #step(step: StartStep, work: () => void | Promise<void>): Promise<void> {
    const { clock, blocking, around } = this.#surroundings;
    const from = clock.now();
    this.#busy = { step, since: from };
    try {
      await callAround(around, { step, plugin: this.key }, async () => work());
    } catch (error) {
      this.#move({ to: 'failed', step, error });
    } finally {
      this.#busy = undefined;
      this.#calls.waitsFor = undefined;
      const to = clock.now();
      this.#times[step] += to - from;
      for (const [key, ms] of blocking.between(from, to)) this.#blocked.set(key, (this.#blocked.get(key) ?? 0) + ms);
    }
  }

  async #warm(token: ServiceToken): Promise<void> {
    const service = await this.#surroundings.blocking.watch(this.key, () => this.#bindings.warm(token));
    if (token === this.#switchable?.token) this.#switchable.switchTo(service as object);
  }

  get #provided() {
    return this.planned.manifest.provides ?? [];
  }
}
