import type { Container, ContainerModuleLoadOptions } from 'inversify';
import type { Clock } from './clock.js';
import type { Lifecycle } from './lifecycle.js';
import type { Logger } from './slots/logger.js';
import type { ServiceToken } from './token.js';

/** The context of every hook of a plugin. */
export interface PluginContext<Config> {
  /** As the schema parsed it, defaults filled in; after a reload the values that are in force now. */
  readonly config: Config;
  /**
   * Resolves to `config` with each value of `${file:...}` as the file is now; to the same object as the last time, without
   * reading, while no file has changed. Left out when no value comes from a file.
   *
   * @throws KeelsonError for a file that cannot be read, or a value that the schema refuses: go on with the values at hand.
   */
  readonly rereadFiles?: () => Promise<Config>;
  /** The name of the service, from the top of the configuration. */
  readonly service: string;
  /** The environment the service was started in: `production`; undefined when none was named. */
  readonly environment: string | undefined;
  /** The key in the configuration: `database`, or `database/reporting` for a further one of the slot. */
  readonly key: string;
  /** What follows the slash in the key; undefined for the slot's own. */
  readonly instance: string | undefined;
  /** Where relative paths in the configuration start. */
  readonly directory: string;
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  /**
   * False when a tool (`keelson doctor`, `keelson migrate`) starts the plugin. Then open no port and change nothing
   * that the tool did not request. `ready` is not called.
   */
  readonly serving: boolean;
  /** Below `keelson dev` only: keeps a process that outlives the restarts of the service. Left out in any other run. */
  readonly keepProcess?: KeepProcess;
}

/** A program of a plugin, for example one that keeps a database open. */
export interface KeptProgram {
  /** JavaScript. It reports its address by `process.send(address)`, and ends in order when its parent disconnects. */
  readonly file: URL;
  /** Its arguments. Calls with the same file and the same words get the same process. */
  readonly words: readonly string[];
}

/**
 * Starts a program of a plugin, or finds the one that an earlier start of the service has started. Resolves to the address
 * that it has reported. It ends with `keelson dev`, and when a later start of the service no longer asks for it.
 *
 * @throws Error when it ended before it reported an address.
 */
export type KeepProcess = (program: KeptProgram) => Promise<string>;

/** The context of `register`. */
export interface RegisterContext<Config> extends PluginContext<Config> {
  /**
   * As Inversify's. For a further instance of a slot (`database/reporting`) every binding is named after the instance:
   * `container.get(DatabaseService, { name: 'reporting' })`.
   */
  readonly bind: ContainerModuleLoadOptions['bind'];
  /**
   * Replaces a service with the result of `wrap` for all its users, also when another plugin provides it or the slot
   * holds its silent default. Calls `wrap` once for each service, when it is made. Several decorators wrap each other in
   * the order in which their plugins register. The token must be in `decorates`.
   *
   * A decoration lasts while the service runs: the result of `wrap` must be harmless before the plugin has started and
   * after it has stopped.
   *
   * @throws KeelsonError `PLUGIN_BINDING_REFUSED` for a token that is not in `decorates`.
   */
  decorate<T>(token: ServiceToken<T>, wrap: (service: T) => T): void;
}

/** The context of `start` and of every hook after it. */
export interface RunContext<Config> extends PluginContext<Config> {
  /** Everything the plugin requires is started: `get` is plain, synchronous and warm. */
  readonly container: Container;
  /** Carries `{ plugin }`. */
  readonly logger: Logger;
  /** Aborts when the hook's time is over or, in `start` and `ready`, when the start is cancelled. */
  readonly signal: AbortSignal;
  /**
   * Names what the hook is waiting for, low in detail (`a connection to db:5432`). The operator sees it when the hook
   * takes long or runs out of time.
   */
  waitingFor(what: string): void;
}

/** Releases a resource of a start. */
export type GiveBack<Config> = (context: RunContext<Config>) => void | Promise<void>;

/** The context of `start`. */
export interface StartContext<Config> extends RunContext<Config> {
  /**
   * Registers `giveBack`, which releases a resource that the start has just taken. The kernel calls each `giveBack` once:
   * when the plugin stops, after the `stop` of the object that `start` returned, and also when the start fails, is
   * cancelled or runs out of its time. It calls the last one first, and all of them also when one throws. When the kernel
   * has given up the start already, it calls `giveBack` at once.
   */
  defer(giveBack: GiveBack<Config>): void;
}
