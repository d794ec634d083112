import { FileReferences } from '../config/file-references.js';
import type { MapNode } from '../config/node.js';
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

/** The configuration in force. */
type Configured = Pick<PluginContext<unknown>, 'config' | 'rereadFiles'>;

/** Calls the hooks of one plugin: each gets what it may know, is timed, and is waited for no longer than allowed. */
export class HookCalls {
  #configured: Configured;
  /** What the last hook has said that it waits for. */
  waitsFor: string | undefined;
  readonly #planned: PlannedPlugin;
  readonly #surroundings: Surroundings;

  constructor(planned: PlannedPlugin, surroundings: Surroundings) {
    this.#planned = planned;
    this.#surroundings = surroundings;
    this.#configured = this.#configuredBy(planned.config, planned.values.node);
  }

  /** Returns what puts the former values in force again. */
  configure(config: unknown, node: MapNode): () => void {
    const before = this.#configured;
    this.#configured = this.#configuredBy(config, node);
    return () => {
      this.#configured = before;
    };
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
    const { clock, lifecycle, directory, service, environment, serving, keepProcess } = this.#surroundings;
    const { key, instance } = this.#planned;
    const places = { key, instance, service, environment, directory, clock, lifecycle, serving };
    return { ...this.#configured, ...places, ...(keepProcess !== undefined && { keepProcess }) };
  }

  #configuredBy(config: unknown, node: MapNode): Configured {
    const { key, manifest } = this.#planned;
    const { directory, variables } = this.#surroundings;
    const references = FileReferences.of({ key, node, schema: manifest.config, directory, variables }, config);
    return references === undefined ? { config } : { config, rereadFiles: () => references.read() };
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
