import type { Container, ContainerModuleLoadOptions } from 'inversify';
import type { z } from 'zod';
import type { ConfigFinding, ConfigToCheck } from './config-finding.js';
import type { ConformanceCase } from './conformance.js';
import type { Inspection, Operation } from './operation.js';
import type { Diagnosis, PluginContext, RunContext } from './plugin-context.js';
import type { Requirement } from './requirement.js';
import type { ServiceToken } from './token.js';

/**
 * What is known of a plugin before any of its code runs: enough to plan a start.
 *
 * A package keeps it in its own module, exported as `<package>/manifest`, which imports nothing heavy; a file of the
 * service has it inside `definePlugin`.
 */
export interface PluginManifest<Config = unknown> {
  /** Kebab case; names the plugin in every report. */
  readonly name: string;
  /** The slot it fills; left out for a plugin that is a service of its own. */
  readonly slot?: string;
  /** The versions of the plugin contract (`@keelson/core`) it works with, as a semver range. Default: any. */
  readonly contract?: string;
  /**
   * Everything under its key in the configuration but `use`, `optional`, `startTimeoutMs` and `stopTimeoutMs`, which
   * the kernel reads. Unknown keys are refused. Default: no keys. `meta({ secret: true })` on a field keeps its value
   * out of every output.
   */
  readonly config?: z.ZodType<Config>;
  /** What it binds. A slot's plugin binds at least the slot's own token. */
  readonly provides?: readonly ServiceToken[];
  /**
   * Services of others that it may wrap, for `decorate`. The plan names them; whether they are there makes no difference
   * to it.
   */
  readonly decorates?: readonly ServiceToken[];
  /** Must be there, and is started before it. */
  readonly requires?: readonly Requirement[];
  /** Started before it when there. */
  readonly optional?: readonly Requirement[];
  /**
   * Services that live for one session or request only. A singleton that would keep one is refused before anything
   * starts.
   */
  readonly perSession?: readonly ServiceToken[];
  /** What this implementation can do beyond the contract of its slot. */
  readonly capabilities?: readonly string[];
  /** What it needs of others, by slot: `{ database: ['cancel-query'] }`. */
  readonly needsCapabilities?: Readonly<Record<string, readonly string[]>>;
  /**
   * What is wrong with its configuration beyond what the schema can say: a value that does not go with another, or with
   * the environment. Part of the plan, so it must be pure: no connection, no file, no lookup. Called only when the schema
   * holds. Each finding is a problem of the plan, and nothing starts.
   */
  check?(given: ConfigToCheck<Config>): readonly ConfigFinding[];
  /** Longest start, in milliseconds. Default 30,000. */
  readonly startTimeoutMs?: number;
  /** Longest stop, in milliseconds. Default 10,000. */
  readonly stopTimeoutMs?: number;
}

export interface RegisterContext<Config> extends PluginContext<Config> {
  /**
   * As Inversify's. For a further instance of a slot (`database/reporting`) every binding is named after the instance:
   * `container.get(DatabaseService, { name: 'reporting' })`.
   */
  readonly bind: ContainerModuleLoadOptions['bind'];
  /**
   * Puts what `wrap` makes of a service in its place, for everyone who asks for it, whoever provides it; the silent
   * default of a slot is wrapped too. `wrap` is called once for each service, when it is made; several decorators lie
   * around each other in the order in which their plugins register. The token must be in `decorates`.
   *
   * Cannot be taken back while the service runs: what `wrap` returns must be harmless before the plugin has started and
   * after it has stopped.
   *
   * @throws KeelsonError `PLUGIN_BINDING_REFUSED` for a token that is not in `decorates`.
   */
  decorate<T>(token: ServiceToken<T>, wrap: (service: T) => T): void;
}

/** Starts the plugin under test in a kernel of its own, beside `plugins`; whoever asked stops it. */
export type StartUnderTest = (options?: {
  readonly plugins?: Readonly<Record<string, Plugin>>;
  /** Registers everything and starts nothing. Default false. */
  readonly idle?: boolean;
}) => Promise<{ readonly container: Container; stop(): Promise<unknown> }>;

/** The cases that prove an implementation of a slot. */
export type SlotConformance = (start: StartUnderTest) => readonly ConformanceCase[];

export interface Plugin<Config = unknown> extends PluginManifest<Config> {
  /**
   * Called first of all, before any instrumented module (`pg`, `express`) is loaded. For telemetry plugins alone; may
   * hook modules, must not connect to anything.
   */
  instrument?(context: PluginContext<Config>): void | Promise<void>;
  /** Binds what it provides. Nothing else: no connection, no lookup. All plugins register before any starts. */
  register?(context: RegisterContext<Config>): void | Promise<void>;
  /** Gets ready to work. Called once, after everything it requires has started. */
  start?(context: RunContext<Config>): void | Promise<void>;
  /** Everything has started: let work in. */
  ready?(context: RunContext<Config>): void | Promise<void>;
  /**
   * The values marked `meta({ reloadable: true })` have changed; `config` holds the new ones, and everything else as
   * before. Must either take them or throw and keep the old ones.
   */
  reconfigure?(context: RunContext<Config>): void | Promise<void>;
  /** Tries out what only a running plugin can know, for `keelson doctor`. Changes nothing. */
  diagnose?(context: RunContext<Config>): Promise<readonly Diagnosis[]>;
  /**
   * What it knows of itself while it runs, for `keelson status` and `keelson doctor`. Asks nobody outside of the process
   * and changes nothing; must answer within a second, above all when what it works with is down.
   */
  inspect?(context: RunContext<Config>): Inspection | Promise<Inspection>;
  /** What an operator may do to it while it runs, by name. */
  readonly operations?: Readonly<Record<string, Operation<unknown, Config>>>;
  /**
   * The suite of its slot, for `keelson verify`; called by nobody else, so that it may import what only tests need. The
   * slots of `@keelson/core` have theirs already.
   */
  conformance?(): Promise<SlotConformance>;
  /** The stop has begun: take no new work in and wait for what runs. Everything is still there. */
  drain?(context: RunContext<Config>): void | Promise<void>;
  /** Gives back what `start` took, also after a `start` that failed half-way. What it requires is still there. */
  stop?(context: RunContext<Config>): void | Promise<void>;
}

/** The plugin as given; gives `config` in the hooks the type of its schema. Throws nothing: the plan looks at it. */
export function definePlugin<Config = Record<never, never>>(plugin: Plugin<Config>): Plugin<Config> {
  return plugin;
}

/** A manifest as given, for the `manifest` module of a package. */
export function defineManifest<Config = Record<never, never>>(
  manifest: PluginManifest<Config>,
): PluginManifest<Config> {
  return manifest;
}
