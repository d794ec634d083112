import { type FilesRequest, readFiles } from './config-files.js';
import { interpolate, type Sources } from './interpolate.js';
import { mergeLayers } from './merge.js';
import { nearest } from './nearest.js';
import { type ConfigNode, child, closest, type MapNode, mapNode, nodeOf, plain, without } from './node.js';
import type { Origin } from './place.js';
import { type Findings, joinFindings, type Problem } from './problem.js';
import { readValues } from './read-values.js';
import { type EntrySettings, entryKeys, entrySchema, type Settings, settingKeys, settingsSchema } from './settings.js';
import { type Variables, variableFor, variableLayer } from './variables.js';

export interface ConfigRequest extends FilesRequest {
  readonly variables: Variables;
  readonly overrides: Readonly<Record<string, unknown>>;
  /** Names of the slots. A variable may fill a slot that no file names. */
  readonly slots: readonly string[];
}

/** One key below `plugins`. */
export interface ConfigEntry {
  /** `database`, `database/reporting`, `orders`. */
  readonly key: string;
  /** Where its `use` was decided. */
  readonly origin: Origin;
  /** Undefined when a value of `use` is missing or wrong. */
  readonly use: string | undefined;
  readonly settings: EntrySettings;
  /** What belongs to the plugin. */
  readonly node: MapNode;
  /** The implementation that a higher layer replaced, when one did. */
  readonly replaced?: { readonly use: string; readonly origin: Origin };
}

export interface LoadedConfig extends Findings {
  readonly directory: string;
  readonly environment: string | undefined;
  /** The files read, lowest layer first. */
  readonly files: readonly string[];
  /** The environments that have a file of their own. */
  readonly environments: readonly string[];
  readonly settings: Settings;
  /** The settings as a tree that knows where each value comes from. */
  readonly settingsNode: MapNode;
  readonly entries: readonly ConfigEntry[];
}

/** Reads and merges the layers. Throws nothing for an invalid configuration: `problems` lists its faults. */
export async function loadConfig(request: ConfigRequest): Promise<LoadedConfig> {
  const { variables, environment } = request;
  const { layers, files, directory, environments, ...inFiles } = await readFiles(request);
  const written = layers.reduce(mergeLayers, mapNode({ from: 'default' }));
  const set = variableLayer(variables, written, request.slots, settingKeys);
  const merged = [set.node, nodeOf(request.overrides, { from: 'code' }) as MapNode].reduce(mergeLayers, written);

  const sources = { variables, directory };
  const top = await readSettings(without(merged, ['plugins']), sources);
  const plugins = await readEntries(merged, sources);
  const { settings, node: settingsNode } = top;
  const findings = joinFindings(inFiles, set, top, plugins);
  return { directory, environment, environments, files, settings, settingsNode, entries: plugins.entries, ...findings };
}

interface ReadSettings extends Findings {
  readonly settings: Settings;
  readonly node: MapNode;
}

async function readSettings(written: MapNode, sources: Sources): Promise<ReadSettings> {
  const { node, problems } = interpolate(written, '', sources);
  // `$schema` is for editors.
  const own = without(node, ['$schema']);
  const unknown = [...own.entries].filter(([key]) => !settingKeys.includes(key));
  const reported = [...problems, ...unknown.map(([key, entry]) => unknownSetting(key, entry.key))];
  const result = await readValues<Settings>({
    node: without(
      own,
      unknown.map(([key]) => key),
    ),
    schema: settingsSchema,
    path: '',
    variable: path => variableFor(String(path[0]), path.slice(1)),
    reported,
  });
  const warnings = result.value === undefined ? [] : shortBudget(result.value, result.node);
  return {
    settings: result.value ?? settingsSchema.parse({}),
    node: result.node,
    ...joinFindings({ problems: reported }, result, { warnings }),
  };
}

function unknownSetting(key: string, origin: Origin): Problem {
  const meant = nearest(key, [...settingKeys, 'plugins']);
  return {
    code: 'CONFIG_KEY_UNKNOWN',
    message: `A configuration has no top-level key ${key}.`,
    path: key,
    origin,
    allowed: [...settingKeys, 'plugins'].join(', '),
    ...(meant !== undefined && { nearest: meant }),
    action: meant === undefined ? 'Move it under its plugin, or remove it.' : `Write ${meant}.`,
  };
}

/** A stop without time left after notice and flush would drop running work. */
function shortBudget({ shutdown }: Settings, node: MapNode): Problem[] {
  const { noticeMs, flushMs, budgetMs } = shutdown;
  if (noticeMs + flushMs < budgetMs) return [];
  return [
    {
      code: 'CONFIG_BUDGET_SHORT',
      message: `shutdown.budgetMs is ${budgetMs}, but noticeMs (${noticeMs}) and flushMs (${flushMs}) alone take that long: no time is left for running work to end.`,
      path: 'shutdown.budgetMs',
      origin: closest(node, ['shutdown', 'budgetMs']).origin,
      action: 'Raise budgetMs (and the grace period of the platform above it), or lower noticeMs.',
    },
  ];
}

async function readEntries(
  merged: MapNode,
  sources: Sources,
): Promise<Partial<Findings> & Pick<LoadedConfig, 'entries'>> {
  const plugins = child(merged, 'plugins');
  if (plugins?.kind === 'map') {
    const read = await Promise.all(
      [...plugins.entries].map(([key, entry]) => readEntry(key, entry.key, entry.node, sources)),
    );
    return { entries: read.flatMap(({ entry }) => entry ?? []), ...joinFindings(...read) };
  }
  if (plugins === undefined || (plugins.kind === 'scalar' && plugins.value === null)) return { entries: [] };
  const problem: Problem = {
    code: 'CONFIG_VALUE_INVALID',
    message: 'plugins is not a map of plugins.',
    path: 'plugins',
    origin: plugins.origin,
    allowed: 'a map: <name>: { use: <package or path>, ... }',
    action: 'Give each plugin a key of its own.',
  };
  return { entries: [], problems: [problem] };
}

async function readEntry(
  key: string,
  keyOrigin: Origin,
  written: ConfigNode,
  sources: Sources,
): Promise<Partial<Findings> & { readonly entry?: ConfigEntry }> {
  const path = `plugins.${key}`;
  const { node, problems } = interpolate(written, path, sources);
  if (!/^[a-z][a-z0-9-]*(\/[a-z0-9][a-z0-9-]*)?$/i.test(key) || node.kind !== 'map') {
    return { problems: [...problems, badEntry(key, path, keyOrigin, node.kind === 'map')] };
  }
  const own = [...node.entries.keys()].filter(name => !entryKeys.includes(name));
  const read = await readValues<EntrySettings>({
    node: without(node, own),
    schema: entrySchema,
    path,
    variable: below => variableFor(key, below),
    reported: problems,
  });
  const use = child(node, 'use');
  const replaced = child(node.beneath, 'use');
  const entry = {
    key,
    origin: use?.origin ?? keyOrigin,
    use: read.value?.use,
    settings: read.value ?? entrySchema.parse({}),
    node: without(node, entryKeys),
    ...(replaced !== undefined && { replaced: { use: String(plain(replaced)), origin: replaced.origin } }),
  };
  const missing = use === undefined ? [missingUse(key, path, keyOrigin, own)] : [];
  return { entry, ...joinFindings({ problems }, read, { problems: missing }) };
}

function badEntry(key: string, path: string, origin: Origin, isMap: boolean) {
  return {
    code: isMap ? 'CONFIG_KEY_INVALID' : 'CONFIG_VALUE_INVALID',
    message: isMap
      ? `${JSON.stringify(key)} cannot be the key of a plugin.`
      : `${path} does not say which plugin to use.`,
    path,
    origin,
    allowed: isMap
      ? 'letters, digits and dashes, and one slash before the name of a further instance'
      : '{ use: <package or path>, ... }',
    action: isMap ? 'Rename it.' : `Write ${key}: { use: "<package or ./path>" }.`,
  };
}

function missingUse(key: string, path: string, origin: Origin, own: readonly string[]) {
  const meant = nearest('use', own);
  return {
    code: 'CONFIG_VALUE_MISSING',
    message: `${path} does not say which plugin to use.`,
    path: `${path}.use`,
    origin,
    allowed: 'a package, a path that begins with ./, or none',
    ...(meant !== undefined && { nearest: 'use' }),
    action: `Add use: "<package or ./path>" under ${key}.`,
  };
}
