import { type ConfigRequest, type LoadedConfig, loadConfig } from '../config/load-config.js';
import { formatOrigin } from '../config/place.js';
import { type Findings, inOrder, joinFindings } from '../config/problem.js';
import { readValues } from '../config/read-values.js';
import { variableFor } from '../config/variables.js';
import type { Clock } from '../contract/clock.js';
import type { Plugin } from '../contract/plugin.js';
import { maskTextsIn } from '../secrets/mask-values.js';
import { startStaggered } from '../time/staggered-start.js';
import { checkConfig } from './check-config.js';
import { checkContracts } from './check-contract.js';
import { checkPlan, unmetRequirements } from './check-plan.js';
import { decoratorsOf } from './decorations.js';
import { dependencies } from './dependencies.js';
import { levelsOf } from './graph.js';
import { installedPlugins } from './installed-plugins.js';
import type { Plan, PlannedPlugin, SlotChoice } from './plan.js';
import {
  defaultStartTimeoutMs,
  type ResolvedPlugin,
  type ResolveRequest,
  readManifest,
  resolvePlugin,
} from './resolve-plugin.js';
import { sharedPackageProblems } from './shared-packages.js';
import { slotNames, slotsOf, splitKey } from './slots.js';
import { type Around, callAround } from './start-part.js';

export interface PlanRequest extends Omit<ConfigRequest, 'slots'>, Pick<ResolveRequest, 'modules' | 'sourceOf'> {
  /** Plugins given in code, by key, instead of what `use` names. */
  readonly plugins: Readonly<Record<string, Plugin>>;
  /** For the time a manifest may take to be imported. */
  readonly clock: Clock;
  /**
   * Called once, when the telemetry plugin is known to be sound and before any file of the service is imported; not
   * called when something is wrong already.
   */
  readonly beforeImports?: (telemetry: PlannedPlugin, config: LoadedConfig) => Promise<void>;
  readonly around?: Around;
}

/** Computes the plan. Throws nothing for a wrong configuration: everything wrong is in `problems`. */
export async function makePlan(request: PlanRequest): Promise<Plan> {
  const { around } = request;
  const config = await callAround(around, { step: 'configuration' }, () =>
    loadConfig({ ...request, overrides: withPlugins(request), slots: slotNames }),
  );
  const resolutions = config.entries
    .filter(entry => entry.use !== 'none')
    .map(entry => resolvePlugin(entry, { ...request, directory: config.directory }));
  const resolved = resolutions.flatMap(({ plugin }) => plugin ?? []);
  // A bundle has one copy of each package in it.
  const copies = { problems: request.modules ? [] : sharedPackageProblems(config.directory, resolved) };

  const drafts = new Map<ResolvedPlugin, Draft>();
  const add = async (plugin: ResolvedPlugin) => {
    drafts.set(plugin, await draftOf(plugin, config, request));
  };
  await Promise.all(resolved.filter(plugin => plugin.light).map(add));

  const telemetry = resolved.find(plugin => plugin.entry.key === 'telemetry');
  if (telemetry !== undefined && !telemetry.light) await add(telemetry);
  const early = telemetry && drafts.get(telemetry)?.plugin;
  const soFar = joinFindings(config, copies, ...resolutions, ...drafts.values());
  if (early !== undefined && soFar.problems.length === 0) await request.beforeImports?.(early, config);

  await startStaggered(
    resolved.filter(plugin => !plugin.light && plugin !== telemetry),
    add,
  );
  const found = resolved.flatMap(plugin => drafts.get(plugin)?.plugin ?? []);
  // Their manifests are imported only to say which of them would help.
  const isUnmet = found.some(draft => unmetRequirements(draft, found).length > 0);
  const installed = isUnmet ? await installedPlugins(config.directory) : [];
  const checks = [...(await checkContracts(found)), ...checkPlan(found, config.entries, installed)];
  return assemble(
    found,
    config,
    joinFindings(config, copies, ...resolutions, ...drafts.values(), { problems: checks }),
  );
}

/** A plugin given in code is chosen by code, whatever the files name. */
function withPlugins({ overrides, plugins }: PlanRequest): Record<string, unknown> {
  const given = Object.keys(plugins);
  if (given.length === 0) return overrides;
  const written = (overrides.plugins ?? {}) as Record<string, Record<string, unknown>>;
  const chosen = given.map(key => [key, { use: `code:${plugins[key]?.name ?? key}`, ...written[key] }]);
  return { ...overrides, plugins: { ...written, ...Object.fromEntries(chosen) } };
}

interface Draft extends Partial<Findings> {
  /** Undefined when its manifest cannot be used. */
  readonly plugin?: PlannedPlugin;
}

async function draftOf(
  resolved: ResolvedPlugin,
  config: LoadedConfig,
  { clock, around }: Pick<PlanRequest, 'clock' | 'around'>,
): Promise<Draft> {
  const { entry } = resolved;
  const from = clock.now();
  const read = () => readManifest(resolved, clock);
  const importing = { step: 'import', plugin: entry.key } as const;
  const { manifest, problems } = await (resolved.light ? read() : callAround(around, importing, read));
  if (manifest === undefined) return { problems };
  const imported = resolved.light ? undefined : { from, to: clock.now() };
  const values = await readValues({
    node: entry.node,
    schema: manifest.config,
    path: `plugins.${entry.key}`,
    variable: path => variableFor(entry.key, path),
    reported: config.problems,
  });
  const { value, node, shape } = values;
  const plugin = {
    key: entry.key,
    instance: splitKey(entry.key).instance,
    use: entry.use ?? entry.key,
    source: resolved.source,
    ...(resolved.version !== undefined && { version: resolved.version }),
    origin: entry.origin,
    ...(entry.replaced !== undefined && { replaced: entry.replaced }),
    manifest,
    config: value,
    values: { node, shape },
    entry,
    optional: entry.settings.optional,
    startTimeoutMs: entry.settings.startTimeoutMs ?? manifest.startTimeoutMs ?? defaultStartTimeoutMs,
    stopTimeoutMs: entry.settings.stopTimeoutMs ?? manifest.stopTimeoutMs ?? 10_000,
    needs: new Map(),
    level: 0,
    ...(imported !== undefined && { imported }),
    load: resolved.load,
  };
  return { plugin, ...joinFindings(values, { problems: checkConfig(plugin, config) }) };
}

function assemble(drafts: readonly PlannedPlugin[], config: LoadedConfig, { problems, warnings }: Findings): Plan {
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
    problems: maskTextsIn(inOrder(problems)),
    warnings: maskTextsIn(inOrder(warnings)),
    config,
  };
}

function slotChoices(
  drafts: readonly PlannedPlugin[],
  config: LoadedConfig,
  started: readonly PlannedPlugin[],
): SlotChoice[] {
  const own = [...new Set(drafts.map(draft => draft.manifest.slot))].filter(slot => slot !== undefined);
  const all = slotsOf(drafts);
  const names = [...new Set([...slotNames, ...all.map(slot => slot.name), ...own])];
  return names.map(name => {
    const filled = drafts.find(draft => draft.key === name);
    const known = all.find(slot => slot.name === name);
    const tokens = [...(known === undefined ? [] : [known.token]), ...(filled?.manifest.provides ?? [])];
    const decoratedBy = decoratorsOf(tokens, started);
    if (filled !== undefined) return { slot: name, filledBy: name, reason: formatOrigin(filled.origin), decoratedBy };
    const none = config.entries.find(entry => entry.key === name && entry.use === 'none');
    const reason = none === undefined ? 'nothing is configured' : `use: none in ${formatOrigin(none.origin)}`;
    return { slot: name, filledBy: known?.silentDefault?.name, reason, decoratedBy };
  });
}
