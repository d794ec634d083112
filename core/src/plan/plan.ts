import { type ConfigEntry, type ConfigRequest, type LoadedConfig, loadConfig } from '../config/load-config.js';
import type { MapNode } from '../config/node.js';
import { formatOrigin, type Origin } from '../config/place.js';
import { inOrder, type Problem } from '../config/problem.js';
import { readValues } from '../config/read-values.js';
import type { Settings } from '../config/settings.js';
import type { Shape } from '../config/shape.js';
import { variableFor } from '../config/variables.js';
import type { Clock } from '../contract/clock.js';
import type { Plugin } from '../contract/plugin.js';
import type { PluginManifest } from '../contract/plugin-manifest.js';
import { maskFields } from '../secrets/mask-text.js';
import { oneByOne } from '../time/one-by-one.js';
import { checkPlan, unmetRequirements } from './check-plan.js';
import { decoratorsOf } from './decorations.js';
import { dependencies } from './dependencies.js';
import { levelsOf } from './graph.js';
import { type InstalledPlugin, installedPlugins } from './installed-plugins.js';
import { manifestFindings } from './manifest-findings.js';
import { type Candidate, findCandidate, readManifest, standardStartTimeoutMs } from './resolve-plugin.js';
import { slotNames, slots, splitKey } from './slots.js';

/** A plugin as it will run. */
export interface PlannedPlugin {
  readonly key: string;
  readonly instance: string | undefined;
  readonly use: string;
  readonly source: Candidate['source'];
  readonly version?: string;
  /** Where it was chosen. */
  readonly origin: Origin;
  /** What a higher layer put it in the place of. */
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

export interface PlanRequest extends Omit<ConfigRequest, 'slots'> {
  /** Plugins given in code, by key, instead of what `use` names. */
  readonly plugins: Readonly<Record<string, Plugin>>;
  /** For the time a manifest may take to be imported. */
  readonly clock: Clock;
  /**
   * Called once, when the telemetry plugin is known to be sound and before any file of the service is imported; not
   * called when something is wrong already.
   */
  readonly beforeImports?: (telemetry: PlannedPlugin, config: LoadedConfig) => Promise<void>;
}

/** Computes the plan. Throws nothing for a wrong configuration: everything wrong is in `problems`. */
export async function makePlan(request: PlanRequest): Promise<Plan> {
  const config = await loadConfig({ ...request, overrides: withPlugins(request), slots: slotNames });
  const { findings } = config;
  const candidates = config.entries
    .filter(entry => entry.use !== 'none')
    .map(entry => findCandidate(entry, config.directory, request.plugins, findings))
    .filter(candidate => candidate !== undefined);

  const drafts = new Map<Candidate, PlannedPlugin>();
  const add = async (candidate: Candidate) => {
    const draft = await draftOf(candidate, config, request.clock);
    if (draft === undefined) return;
    drafts.set(candidate, draft);
    findings.problems.push(...manifestFindings(draft, config));
  };
  await Promise.all(candidates.filter(candidate => candidate.light).map(add));

  const telemetry = candidates.find(candidate => candidate.entry.key === 'telemetry');
  if (telemetry !== undefined && !drafts.has(telemetry) && !telemetry.light) await add(telemetry);
  const early = telemetry && drafts.get(telemetry);
  if (early !== undefined && findings.problems.length === 0) await request.beforeImports?.(early, config);

  await oneByOne(
    candidates.filter(candidate => !candidate.light && candidate !== telemetry),
    add,
  );
  const found = candidates.map(candidate => drafts.get(candidate)).filter(draft => draft !== undefined);
  // Their manifests are imported only to say which of them would help.
  const isUnmet = found.some(draft => unmetRequirements(draft, found).length > 0);
  return assemble(found, config, isUnmet ? await installedPlugins(config.directory) : []);
}

/** A plugin given in code is chosen by code, whatever the files name. */
function withPlugins({ overrides, plugins }: PlanRequest): Record<string, unknown> {
  const given = Object.keys(plugins);
  if (given.length === 0) return overrides;
  const written = (overrides.plugins ?? {}) as Record<string, Record<string, unknown>>;
  const chosen = given.map(key => [key, { use: `code:${plugins[key]?.name ?? key}`, ...written[key] }]);
  return { ...overrides, plugins: { ...written, ...Object.fromEntries(chosen) } };
}

async function draftOf(candidate: Candidate, config: LoadedConfig, clock: Clock): Promise<PlannedPlugin | undefined> {
  const { entry } = candidate;
  const from = clock.now();
  const manifest = await readManifest(candidate, config.findings, clock);
  if (manifest === undefined) return undefined;
  const imported = candidate.light ? undefined : { from, to: clock.now() };
  const { value, node, shape } = await readValues({
    node: entry.node,
    schema: manifest.config,
    path: `plugins.${entry.key}`,
    variable: path => variableFor(entry.key, path),
    findings: config.findings,
  });
  return {
    key: entry.key,
    instance: splitKey(entry.key).instance,
    use: entry.use ?? entry.key,
    source: candidate.source,
    ...(candidate.version !== undefined && { version: candidate.version }),
    origin: entry.origin,
    ...(entry.replaced !== undefined && { replaced: entry.replaced }),
    manifest,
    config: value,
    values: { node, shape },
    entry,
    optional: entry.settings.optional,
    startTimeoutMs: entry.settings.startTimeoutMs ?? manifest.startTimeoutMs ?? standardStartTimeoutMs,
    stopTimeoutMs: entry.settings.stopTimeoutMs ?? manifest.stopTimeoutMs ?? 10_000,
    needs: new Map(),
    level: 0,
    ...(imported !== undefined && { imported }),
    load: candidate.load,
  };
}

function assemble(drafts: readonly PlannedPlugin[], config: LoadedConfig, installed: readonly InstalledPlugin[]): Plan {
  checkPlan(drafts, config, installed);
  const needs = dependencies(drafts);
  const graph = new Map([...needs].map(([key, reasons]) => [key, [...reasons.keys()]]));
  const levels = levelsOf(graph).map((keys, level) =>
    drafts
      .filter(draft => keys.includes(draft.key))
      .map(draft => ({ ...draft, level, needs: needs.get(draft.key) ?? new Map<string, string>() })),
  );
  return {
    service: config.settings.service,
    environment: config.environment,
    directory: config.directory,
    files: config.files,
    settings: config.settings,
    plugins: levels.flat(),
    levels,
    slots: slotChoices(drafts, config, levels.flat()),
    // Plugins have had their say in them.
    problems: inOrder(config.findings.problems).map(maskFields),
    warnings: inOrder(config.findings.warnings).map(maskFields),
    config,
  };
}

function slotChoices(
  drafts: readonly PlannedPlugin[],
  config: LoadedConfig,
  started: readonly PlannedPlugin[],
): SlotChoice[] {
  const own = [...new Set(drafts.map(draft => draft.manifest.slot))].filter(slot => slot !== undefined);
  const names = [...new Set([...slotNames, ...own])];
  return names.map(name => {
    const filled = drafts.find(draft => draft.key === name);
    const known = slots.find(slot => slot.name === name);
    const tokens = [...(known === undefined ? [] : [known.token]), ...(filled?.manifest.provides ?? [])];
    const decoratedBy = decoratorsOf(tokens, started);
    if (filled !== undefined) return { slot: name, filledBy: name, reason: formatOrigin(filled.origin), decoratedBy };
    const none = config.entries.find(entry => entry.key === name && entry.use === 'none');
    const reason = none === undefined ? 'nothing is configured' : `use: none in ${formatOrigin(none.origin)}`;
    return { slot: name, filledBy: known?.standard?.name, reason, decoratedBy };
  });
}
