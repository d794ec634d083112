import type { PluginContext, RunContext } from '../contract/plugin-context.js';
import { Logger, silentLogger } from '../contract/slots/logger.js';
import type { PlannedPlugin } from '../plan/plan.js';
import { maskText } from '../secrets/mask-text.js';
import { runWithin } from '../time/run-within.js';
import { heedsSignal, hookTimedOut } from './errors.js';
import type { Surroundings } from './surroundings.js';

export interface HookCall<Given, T> {
  /** What it is called in errors. */
  readonly hook: string;
  /** Default: the longest start of the plugin. */
  readonly timeoutMs?: number;
  readonly cancel?: AbortSignal | undefined;
  readonly work: (given: Given) => T | Promise<T>;
  /** How long a hook whose time is over may take to say why. */
  readonly partingMs?: number | undefined;
}

/** Calls the hooks of one plugin: each gets what it may know, is timed, and is waited for no longer than allowed. */
export class HookCalls {
  /** The configuration in force. */
  config: unknown;
  /** What the last hook has said that it waits for. */
  waitsFor: string | undefined;
  readonly #planned: PlannedPlugin;
  readonly #surroundings: Surroundings;

  constructor(planned: PlannedPlugin, surroundings: Surroundings) {
    this.config = planned.config;
    this.#planned = planned;
    this.#surroundings = surroundings;
  }

  /** @throws what the hook threw, the reason of `cancel`, or that its time was over. */
  call<T>(call: HookCall<AbortSignal, T>): Promise<T> {
    const { key, startTimeoutMs } = this.#planned;
    const { hook, timeoutMs = startTimeoutMs, cancel, work, partingMs } = call;
    const { clock, blocking } = this.#surroundings;
    return runWithin({
      clock,
      timeoutMs,
      cancel,
      work: signal => blocking.watch(key, () => work(signal)),
      onTimeout: last => hookTimedOut(key, hook, timeoutMs, this.waitsFor, last),
      partingMs: heedsSignal(hook) ? partingMs : 0,
    });
  }

  /** The same for a hook from `start` on. */
  callRunning<T>(call: HookCall<RunContext<unknown>, T>): Promise<T> {
    return this.call({ ...call, work: signal => call.work(this.#runContext(signal)) });
  }

  context(): PluginContext<unknown> {
    const { clock, lifecycle, directory, service, environment, serving } = this.#surroundings;
    const { key, instance } = this.#planned;
    return { config: this.config, key, instance, service, environment, directory, clock, lifecycle, serving };
  }

  #runContext(signal: AbortSignal): RunContext<unknown> {
    const { container } = this.#surroundings;
    const logger = container.isBound(Logger) ? container.get(Logger) : silentLogger;
    const waitingFor = (what: string) => {
      this.waitsFor = maskText(what);
    };
    const context = this.context();
    return { ...context, container, logger: logger.child({ plugin: context.key }), signal, waitingFor };
  }
}
