import type { z } from 'zod';
import type { ConfigFinding, ConfigToCheck } from './config-finding.js';
import type { PluginCommand } from './plugin-command.js';
import type { Requirement } from './requirement.js';
import type { Slot } from './slot.js';
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
  /**
   * Slots beyond those of `@keelson/core` that it fills or uses, made with `defineSlot`. The silent default of such a slot
   * is bound when no plugin fills it.
   */
  readonly slots?: readonly Slot[];
  /** The versions of the plugin contract (`@keelson/core`) it works with, as a semver range. Default: any. */
  readonly contract?: string;
  /**
   * Everything under its key in the configuration but `use`, `optional`, `startTimeoutMs` and `stopTimeoutMs`, which
   * the kernel reads. Unknown keys are refused. Default: no keys. `meta({ secret: true })` on a field keeps its value
   * out of every output.
   */
  readonly config?: z.ZodType<Config>;
  /** The services that it binds. A slot's plugin binds at least the token of the slot. */
  readonly provides?: readonly ServiceToken[];
  /**
   * Services of other plugins that it may wrap with `decorate`. The plan lists them; the plugin starts also without
   * them.
   */
  readonly decorates?: readonly ServiceToken[];
  /** Services that the plugin needs; their plugins start before it. */
  readonly requires?: readonly Requirement[];
  /** Services that the plugin uses when present; their plugins start before it. */
  readonly optional?: readonly Requirement[];
  /**
   * Services that live for one session or request only. A singleton that would keep one is refused before anything
   * starts.
   */
  readonly perSession?: readonly ServiceToken[];
  /** Capabilities of this implementation beyond the contract of its slot. */
  readonly capabilities?: readonly string[];
  /** Capabilities that it needs of other plugins, by slot: `{ database: ['cancel'] }`. */
  readonly needsCapabilities?: Readonly<Record<string, readonly string[]>>;
  /**
   * Returns the faults of its configuration that the schema cannot express: a value that conflicts with another, or with
   * the environment. Part of the plan, so it must be pure: no connection, no file, no lookup. Called only for values that
   * pass the schema. Each finding is a problem of the plan, and nothing starts.
   */
  check?(given: ConfigToCheck<Config>): readonly ConfigFinding[];
  /**
   * Whether the running plugin has `diagnose`. If so, `keelson doctor` starts the plugin and calls it. Default false.
   */
  readonly diagnoses?: boolean;
  /** Its commands by name, for `keelson run`. */
  readonly commands?: Readonly<Record<string, PluginCommand>>;
  /** Longest start, in milliseconds. Default 30,000. */
  readonly startTimeoutMs?: number;
  /** Longest stop, in milliseconds. Default 10,000. */
  readonly stopTimeoutMs?: number;
}

/** Returns the manifest unchanged; for the `manifest` module of a package. */
export function defineManifest<Config = Record<never, never>>(
  manifest: PluginManifest<Config>,
): PluginManifest<Config> {
  return manifest;
}
