import type { z } from 'zod';
import type { ConfigFinding, ConfigToCheck } from './config-finding.js';
import type { Requirement } from './requirement.js';
import type { ServiceToken } from './token.js';

/**
 * Describes a plugin before any of its code runs: enough to plan a start.
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
  /**
   * Whether what its `start` returns has `diagnose`: then `keelson doctor` starts the plugin to ask it. Default false.
   */
  readonly diagnoses?: boolean;
  /** Longest start, in milliseconds. Default 30,000. */
  readonly startTimeoutMs?: number;
  /** Longest stop, in milliseconds. Default 10,000. */
  readonly stopTimeoutMs?: number;
}

/** A manifest as given, for the `manifest` module of a package. */
export function defineManifest<Config = Record<never, never>>(
  manifest: PluginManifest<Config>,
): PluginManifest<Config> {
  return manifest;
}
