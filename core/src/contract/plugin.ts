import type { Container } from 'inversify';
import type { ConformanceCase } from './conformance.js';
import type { Diagnosis, Inspection } from './inspection.js';
import type { Operation } from './operation.js';
import type { PluginContext, RegisterContext, RunContext, StartContext } from './plugin-context.js';
import type { PluginManifest } from './plugin-manifest.js';

/**
 * A plugin that runs: what its `start` returns, an object or an instance of a class. What its hooks share is in the closure
 * or in the instance, so that each kernel of a process has its own.
 */
export interface StartedPlugin<Config = unknown> {
  /** Everything has started: let work in. */
  ready?(context: RunContext<Config>): void | Promise<void>;
  /**
   * The values marked `meta({ reloadable: true })` have changed; `config` holds the new ones, and everything else as
   * before. Must either take them or throw and keep the old ones.
   */
  reconfigure?(context: RunContext<Config>): void | Promise<void>;
  /**
   * Tries out what only a running plugin can know, for `keelson doctor`. Changes nothing. The manifest must say
   * `diagnoses: true`.
   */
  diagnose?(context: RunContext<Config>): readonly Diagnosis[] | Promise<readonly Diagnosis[]>;
  /**
   * What it knows of itself while it runs, for `keelson status` and `keelson doctor`. Asks nobody outside of the process
   * and changes nothing; must answer within a second, above all when what it works with is down.
   */
  inspect?(context: RunContext<Config>): Inspection | Promise<Inspection>;
  /** What an operator may do to it, by name. */
  readonly operations?: Readonly<Record<string, Operation<unknown, Config>>>;
  /** The stop has begun: take no new work in and wait for what runs. Everything is still there. */
  drain?(context: RunContext<Config>): void | Promise<void>;
  /** Gives back what `start` took, before what was deferred. What it requires is still there. */
  stop?(context: RunContext<Config>): void | Promise<void>;
}

/** A plugin that has bound its services. */
export interface RegisteredPlugin<Config = unknown> {
  /** Gets ready to work. Called once, after everything it requires has started. What it takes, it defers to give back. */
  start?(context: StartContext<Config>): Next<StartedPlugin<Config>>;
}

/** A plugin whose modules are hooked, or that hooks none. */
export type InstrumentedPlugin<Config = unknown> =
  | (RegisteredPlugin<Config> & {
      /**
       * Binds what it provides. Nothing else: no connection, no lookup. All plugins register before any starts. An
       * optional plugin that failed is started again from here on, and registers once more.
       */
      register?(context: RegisterContext<Config>): void | Promise<void>;
    })
  | {
      /** The same; what it returns has the `start` that follows. */
      register(context: RegisterContext<Config>): Next<RegisteredPlugin<Config>>;
      readonly start?: undefined;
    };

/** The steps to a plugin that runs. A step stands beside the one before, or in what that returns. */
export type PluginSteps<Config = unknown> =
  | (InstrumentedPlugin<Config> & {
      /**
       * Called right after the plugin is imported. The telemetry plugin is imported first of all, before any instrumented
       * module (`pg`, `express`) is loaded: it may hook modules, but must not connect to anything.
       */
      instrument?(context: PluginContext<Config>): void | Promise<void>;
    })
  | {
      /** The same; what it returns has the steps that follow. */
      instrument(context: PluginContext<Config>): Next<InstrumentedPlugin<Config>>;
      readonly register?: undefined;
      readonly start?: undefined;
    };

/** What a step returns: the plugin one step further, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: it is a return type, of functions that need no `return` as well
export type Next<Further> = Further | void | Promise<Further | void>;

/** What a package or a file of the service exports: a manifest and the steps to a plugin that runs. */
export type Plugin<Config = unknown> = PluginManifest<Config> &
  PluginSteps<Config> & {
    /**
     * The suite of its slot, for `keelson verify`; called by nobody else, so that it may import what only tests need. The
     * slots of `@keelson/core` have theirs already.
     */
    conformance?(): Promise<SlotConformance>;
  };

/** Starts the plugin under test in a kernel of its own, beside `plugins`; whoever asked stops it. */
export type StartUnderTest = (options?: {
  readonly plugins?: Readonly<Record<string, Plugin>>;
  /** Registers everything and starts nothing. Default false. */
  readonly idle?: boolean;
}) => Promise<{ readonly container: Container; stop(): Promise<unknown> }>;

/** The cases that prove an implementation of a slot. */
export type SlotConformance = (start: StartUnderTest) => readonly ConformanceCase[];

/** The plugin as given; gives `config` in the hooks the type of its schema. Throws nothing: the plan looks at it. */
export function definePlugin<Config = Record<never, never>>(plugin: Plugin<Config>): Plugin<Config> {
  return plugin;
}
