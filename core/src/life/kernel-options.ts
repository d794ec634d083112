import type { Variables } from '../config/variables.js';
import { type Clock, systemClock } from '../contract/clock.js';
import type { Plugin } from '../contract/plugin.js';
import type { KeepProcess } from '../contract/plugin-context.js';
import type { PlanRequest } from '../plan/make-plan.js';
import type { Plan, PlannedPlugin } from '../plan/plan.js';
import type { PluginModules } from '../plan/resolve-plugin.js';
import type { Around } from '../plan/start-part.js';
import type { ServiceStatus } from './status.js';

/** A service that is about to start, or starts. */
export interface StartingService {
  readonly plan: Plan;
  /** As `Kernel.status`, with how far each plugin is. */
  status(): Promise<ServiceStatus>;
}

export interface KernelOptions {
  /** A YAML, JSON or TypeScript file, or the same content as an object. */
  readonly config: string | Readonly<Record<string, unknown>>;
  /** Whose overlay file is laid over it: `production` for `keelson.production.yaml`. Default: `KEELSON_ENV`. */
  readonly environment?: string;
  /** Values that win over the file, its overlay and the variables; in the shape of the file. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** Where `${VAR}` and `KEELSON_<SLOT>__<KEY>` are looked up. Default: `process.env`. */
  readonly variables?: Variables;
  readonly clock?: Clock;
  /** For the jitter of waits; between 0 and 1. Default: `Math.random`. */
  readonly random?: () => number;
  /** Plugins by key, instead of what `use` names; their configuration comes from `overrides`. */
  readonly plugins?: Readonly<Record<string, Plugin>>;
  /**
   * For a bundle: the plugins that it contains, by what `use` names. Configuration chooses among them, and their values come
   * from it. A `use` that is not among them is a problem of the plan.
   */
  readonly modules?: PluginModules;
  /** The file to load in place of one that `use` names; undefined for that file itself. For tools. */
  readonly sourceOf?: (file: string) => string | undefined;
  /** Where relative paths start when `config` is an object. Default: the working directory. */
  readonly directory?: string;
  /** Cancels the start. */
  readonly signal?: AbortSignal;
  /** Starts these plugins and what they need, and nothing else; no work is let in. For tools. */
  readonly only?: (plugin: { readonly planned: PlannedPlugin }) => boolean;
  /** Changes a valid plan before it runs: times, optional plugins. For tools. */
  readonly revise?: (plan: Plan) => Plan;
  /** Starts processes that outlive this one. For `keelson dev`. */
  readonly keepProcess?: KeepProcess;
  /** Called once the plan is valid, before anything starts. */
  readonly onStarting?: (service: StartingService) => void;
  /** Called with the plugins still starting after `startup.slowMs`; the kernel logs the same message. */
  readonly onSlowStart?: (message: string) => void;
  /** Called for each part of the start; it must call the work of that part once. For tools. */
  readonly around?: Around;
}

export function planRequest(options: KernelOptions): PlanRequest {
  const variables = options.variables ?? process.env;
  return {
    config: options.config,
    // Empty is how a variable is unset where it cannot be taken away.
    environment: (options.environment ?? variables.KEELSON_ENV) || undefined,
    variables,
    overrides: options.overrides ?? {},
    plugins: options.plugins ?? {},
    clock: options.clock ?? systemClock,
    ...(options.directory !== undefined && { directory: options.directory }),
    ...(options.around !== undefined && { around: options.around }),
    ...(options.modules !== undefined && { modules: options.modules }),
    ...(options.sourceOf !== undefined && { sourceOf: options.sourceOf }),
  };
}
