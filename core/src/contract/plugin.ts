import type { Container } from 'inversify';
import type { ConformanceCase } from './conformance.js';
import type { Diagnosis, Inspection } from './inspection.js';
import type { Operation } from './operation.js';
import type { PluginContext, RegisterContext, RunContext, StartContext } from './plugin-context.js';
import type { PluginManifest } from './plugin-manifest.js';

/**
 * A running plugin: the result of its `start`, an object or an instance of a class. Its hooks share state in the closure
 * or in the instance, so that each kernel of a process has its own.
 */
export interface StartedPlugin<Config = unknown> {
  /** Accepts work. Called when every plugin has started. */
  ready?(context: RunContext<Config>): void | Promise<void>;
  /**
   * Applies changed values marked `meta({ reloadable: true })`; `config` holds the new ones, and all others unchanged.
   * Must either apply them or throw and keep the old ones.
   */
  reconfigure?(context: RunContext<Config>): void | Promise<void>;
  /**
   * Runs the checks that need a running plugin, for `keelson doctor`. Changes nothing. The manifest must set
   * `diagnoses: true`.
   */
  diagnose?(context: RunContext<Config>): readonly Diagnosis[] | Promise<readonly Diagnosis[]>;
  /**
   * Reports the state of the running plugin, for `keelson status` and `keelson doctor`. Calls nothing outside the process
   * and changes nothing; must return within a second, above all when the target of the plugin is down.
   */
  inspect?(context: RunContext<Config>): Inspection | Promise<Inspection>;
  /** The operations that an operator may run, by name. */
  readonly operations?: Readonly<Record<string, Operation<unknown, Config>>>;
  /** Accepts no new work and waits for running work. Called when the stop begins; all plugins still run. */
  drain?(context: RunContext<Config>): void | Promise<void>;
  /** Releases the resources of `start`, before the deferred ones. The plugins that it requires still run. */
  stop?(context: RunContext<Config>): void | Promise<void>;
}

/** A plugin that has bound its services. */
export interface RegisteredPlugin<Config = unknown> {
  /** Starts the plugin. Called once, after all plugins that it requires. Passes the release of its resources to `defer`. */
  start?(context: StartContext<Config>): Next<StartedPlugin<Config>>;
}

/** A plugin after its step `instrument`, or without one. */
export type InstrumentedPlugin<Config = unknown> =
  | (RegisteredPlugin<Config> & {
      /**
       * Binds the services that the plugin provides, without a connection or a lookup. All plugins register before any
       * starts. An optional plugin that failed is started again from this step on, and registers again.
       */
      register?(context: RegisterContext<Config>): void | Promise<void>;
    })
  | {
      /** The same; the returned object has the `start` that follows. */
      register(context: RegisterContext<Config>): Next<RegisteredPlugin<Config>>;
      readonly start?: undefined;
    };

/**
 * The steps to a running plugin: `instrument`, `register`, `start`. A step is a method of the plugin itself, or of the
 * object that the step before it returned.
 */
export type PluginSteps<Config = unknown> =
  | (InstrumentedPlugin<Config> & {
      /**
       * Called right after the plugin is imported. The telemetry plugin is imported first of all, before any instrumented
       * module (`pg`, `express`) is loaded: it may hook modules, but must not connect to anything.
       */
      instrument?(context: PluginContext<Config>): void | Promise<void>;
    })
  | {
      /** The same; the returned object has the steps that follow. */
      instrument(context: PluginContext<Config>): Next<InstrumentedPlugin<Config>>;
      readonly register?: undefined;
      readonly start?: undefined;
    };

/** The result of a step: the plugin one step further, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: it is a return type, of functions that need no `return` as well
export type Next<Further> = Further | void | Promise<Further | void>;

/** The export of a plugin package or file: a manifest and the steps to a running plugin. */
export type Plugin<Config = unknown> = PluginManifest<Config> &
  PluginSteps<Config> & {
    /**
     * Returns the suite of its slot. Only `keelson verify` calls it, so it may import test dependencies. The slots of
     * `@keelson/core` have suites already.
     */
    conformance?(): Promise<SlotConformance>;
  };

/** Starts the plugin under test in a kernel of its own, beside `plugins`. The caller stops it. */
export type StartUnderTest = (options?: {
  readonly plugins?: Readonly<Record<string, Plugin>>;
  /** Registers everything and starts nothing. Default false. */
  readonly idle?: boolean;
}) => Promise<{ readonly container: Container; stop(): Promise<unknown> }>;

/** The cases that prove an implementation of a slot. */
export type SlotConformance = (start: StartUnderTest) => readonly ConformanceCase[];

/** Returns the plugin unchanged; types `config` in its hooks by its schema. Throws nothing: the plan validates it. */
export function definePlugin<Config = Record<never, never>>(plugin: Plugin<Config>): Plugin<Config> {
  return plugin;
}
