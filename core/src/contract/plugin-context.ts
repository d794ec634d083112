import type { Container, ContainerModuleLoadOptions } from 'inversify';
import type { Clock } from './clock.js';
import type { Lifecycle } from './lifecycle.js';
import type { Logger } from './slots/logger.js';
import type { ServiceToken } from './token.js';

/** What every hook of a plugin is given. */
export interface PluginContext<Config> {
  /** As the schema parsed it, defaults filled in; after a reload the values that are in force now. */
  readonly config: Config;
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
   * False when a tool (`keelson doctor`, `keelson migrate`) starts the plugin to ask it something: then open nothing to
   * others and change nothing unasked. `ready` is not called.
   */
  readonly serving: boolean;
}

/** What `register` is given. */
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

/** What `start` and every hook after it is given. */
export interface RunContext<Config> extends PluginContext<Config> {
  /** Everything the plugin requires is started: `get` is plain, synchronous and warm. */
  readonly container: Container;
  /** Carries `{ plugin }`. */
  readonly logger: Logger;
  /** Aborts when the hook's time is over or, in `start`, when the start is cancelled. */
  readonly signal: AbortSignal;
  /**
   * Says what the hook is waiting for, low in detail (`a connection to db:5432`): told to the operator when the hook
   * takes long or runs out of time.
   */
  waitingFor(what: string): void;
}

/** Gives back something that a start has taken. */
export type GiveBack<Config> = (context: RunContext<Config>) => void | Promise<void>;

/** What `start` is given. */
export interface StartContext<Config> extends RunContext<Config> {
  /**
   * Keeps what gives back something that the start has just taken. All of it is called once: when the plugin stops, after
   * the `stop` of what `start` returned, and also when the start fails, is cancelled or runs out of its time. The last one
   * kept is called first; one that throws keeps no other from being called. When the start was given up already,
   * `giveBack` is called at once.
   */
  defer(giveBack: GiveBack<Config>): void;
}
