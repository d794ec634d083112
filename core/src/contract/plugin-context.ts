import type { Container } from 'inversify';
import type { Clock } from './clock.js';
import type { Lifecycle } from './lifecycle.js';
import type { Logger } from './slots/logger.js';

export interface PluginContext<Config> {
  /** As the schema parsed it, defaults filled in. */
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

/** What `keelson doctor` found out about one thing. */
export interface Diagnosis {
  /** What was looked at, in a few words: `clock skew`. */
  readonly name: string;
  readonly status: 'pass' | 'warn' | 'fail';
  /** One sentence with what was measured; no secret. */
  readonly output: string;
  /** What to do; left out for `pass`. */
  readonly hint?: string;
}
