import type { ConfigEntry, LoadedConfig } from '../config/load-config.js';
import type { MapNode } from '../config/node.js';
import type { Origin } from '../config/place.js';
import type { Problem } from '../config/problem.js';
import type { Settings } from '../config/settings.js';
import type { Shape } from '../config/shape.js';
import type { Plugin } from '../contract/plugin.js';
import type { PluginManifest } from '../contract/plugin-manifest.js';

/** A plugin as it will run. */
export interface PlannedPlugin {
  readonly key: string;
  readonly instance: string | undefined;
  readonly use: string;
  readonly source: 'package' | 'file' | 'code';
  readonly version?: string;
  /** Where it was chosen. */
  readonly origin: Origin;
  /** The plugin of a lower layer that this one replaced. */
  readonly replaced?: ConfigEntry['replaced'];
  readonly manifest: PluginManifest;
  /** As its schema parsed it; undefined when that failed. */
  readonly config: unknown;
  /** The same as a tree that knows where each value comes from, with the JSON Schema it was read by. */
  readonly values: { readonly node: MapNode; readonly shape: Shape };
  readonly entry: ConfigEntry;
  readonly optional: boolean;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  /** The keys of the plugins that are started before it, each with the reason. */
  readonly needs: ReadonlyMap<string, string>;
  /** 0 for those that need no other. */
  readonly level: number;
  /** When the plan has imported it as a whole, because it has no manifest of its own. */
  readonly imported?: { readonly from: number; readonly to: number };
  readonly load: () => Promise<Plugin>;
}

export interface SlotChoice {
  readonly slot: string;
  /** The key of the plugin, or the name of what stands in for one; undefined when the slot is empty. */
  readonly filledBy: string | undefined;
  readonly reason: string;
  /** The keys of the plugins that may wrap it, the innermost first. */
  readonly decoratedBy: readonly string[];
}

/** Everything that will happen at a start, known before any of it does. */
export interface Plan {
  readonly service: string;
  readonly environment: string | undefined;
  readonly directory: string;
  readonly files: readonly string[];
  readonly settings: Settings;
  /** In the order of their start. */
  readonly plugins: readonly PlannedPlugin[];
  /** Plugins of one level start side by side; each level waits for the one before. */
  readonly levels: readonly (readonly PlannedPlugin[])[];
  readonly slots: readonly SlotChoice[];
  /** The plan holds when there is none. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly config: LoadedConfig;
}

/** The place where a plugin was chosen, for a problem with it. */
export function choiceOf({ key, origin }: Pick<ConfigEntry, 'key' | 'origin'>) {
  return { path: `plugins.${key}.use`, origin };
}
