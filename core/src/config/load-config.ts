import { readFiles } from './config-files.js';
import { interpolate } from './interpolate.js';
import { mergeLayers } from './merge.js';
import { nearest } from './nearest.js';
import { child, closest, type MapNode, mapNode, nodeOf } from './node.js';
import type { Origin } from './place.js';
import { Findings } from './problem.js';
import { plain, readValues, without } from './read-values.js';
import { type EntrySettings, entryKeys, entrySchema, type Settings, settingKeys, settingsSchema } from './settings.js';
import { type Variables, variableFor, variableLayer } from './variables.js';

export interface ConfigRequest {
  /** A file, or the same content as an object. */
  readonly config: string | Readonly<Record<string, unknown>>;
  readonly environment: string | undefined;
  readonly variables: Variables;
  readonly overrides: Readonly<Record<string, unknown>>;
  /** Names of the slots, which variables may fill although no file speaks of them. */
  readonly slots: readonly string[];
  /** Where relative paths start when `config` is an object. Default: the working directory. */
  readonly directory?: string;
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

export interface LoadedConfig {
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
  readonly findings: Findings;
}

/** Reads and merges the layers. Nothing is thrown for a wrong configuration: what is wrong is in `findings`. */
export async function loadConfig(request: ConfigRequest): Promise<LoadedConfig> {
  const findings = new Findings();
  const { files, layers, directory, environments } = await readFiles(request, findings);
  let merged = layers.reduce(mergeLayers, mapNode({ from: 'default' }));
  merged = mergeLayers(merged, variableLayer(request.variables, merged, request.slots, settingKeys, findings));
  merged = mergeLayers(merged, nodeOf(request.overrides, { from: 'code' }) as MapNode);

  const sources = { variables: request.variables, directory, findings };
  const settingsNode = interpolate(without(merged, ['plugins']), '', sources) as MapNode;
  const { settings, node } = await readSettings(settingsNode, findings);
  const entries = await readEntries(merged, sources);
  const { environment } = request;
  return { directory, environment, environments, files, settings, settingsNode: node, entries, findings };
}

async function readSettings(node: MapNode, findings: Findings): Promise<{ settings: Settings; node: MapNode }> {
  // `$schema` is for editors.
  const own = without(node, ['$schema']);
  const unknown = [...own.entries].filter(([key]) => !settingKeys.includes(key));
  for (const [key, entry] of unknown) {
    const meant = nearest(key, [...settingKeys, 'plugins']);
    findings.problem({
      code: 'CONFIG_KEY_UNKNOWN',
      message: `There is no key ${key} at the top of a configuration.`,
      path: key,
      origin: entry.key,
      allowed: [...settingKeys, 'plugins'].join(', '),
      ...(meant !== undefined && { nearest: meant }),
      action: meant === undefined ? 'Move it under its plugin, or remove it.' : `Write ${meant}.`,
    });
  }
  const result = await readValues<Settings>({
    node: without(
      own,
      unknown.map(([key]) => key),
    ),
    schema: settingsSchema,
    path: '',
    variable: path => variableFor(String(path[0]), path.slice(1)),
    findings,
  });
  if (result.value !== undefined) warnOfShortBudget(result.value, result.node, findings);
  return { settings: result.value ?? settingsSchema.parse({}), node: result.node };
}

/** A stop that has no time for what it is told to do drops the work that is under way. */
function warnOfShortBudget({ shutdown }: Settings, node: MapNode, findings: Findings): void {
  const { noticeMs, flushMs, budgetMs } = shutdown;
  if (noticeMs + flushMs < budgetMs) return;
  findings.warn({
    code: 'CONFIG_BUDGET_SHORT',
    message: `shutdown.budgetMs is ${budgetMs}, but noticeMs (${noticeMs}) and flushMs (${flushMs}) alone take that long: nothing is left to end the work that is under way.`,
    path: 'shutdown.budgetMs',
    origin: closest(node, ['shutdown', 'budgetMs']).origin,
    action: 'Raise budgetMs (and the grace period of the platform above it), or lower noticeMs.',
  });
}

async function readEntries(merged: MapNode, sources: Parameters<typeof interpolate>[2]): Promise<ConfigEntry[]> {
  const plugins = child(merged, 'plugins');
  if (plugins === undefined) return [];
  if (plugins.kind !== 'map') {
    if (plugins.kind === 'scalar' && plugins.value === null) return [];
    sources.findings.problem({
      code: 'CONFIG_VALUE_INVALID',
      message: 'plugins is not a map of plugins.',
      path: 'plugins',
      origin: plugins.origin,
      allowed: 'a map: <name>: { use: <package or path>, ... }',
      action: 'Give each plugin a key of its own.',
    });
    return [];
  }
  const entries: ConfigEntry[] = [];
  for (const [key, entry] of plugins.entries) {
    const read = await readEntry(key, entry.key, interpolate(entry.node, `plugins.${key}`, sources), sources.findings);
    if (read !== undefined) entries.push(read);
  }
  return entries;
}

async function readEntry(
  key: string,
  keyOrigin: Origin,
  node: ReturnType<typeof interpolate>,
  findings: Findings,
): Promise<ConfigEntry | undefined> {
  const path = `plugins.${key}`;
  if (!/^[a-z][a-z0-9-]*(\/[a-z0-9][a-z0-9-]*)?$/i.test(key) || node.kind !== 'map') {
    findings.problem(badEntry(key, path, keyOrigin, node.kind === 'map'));
    return undefined;
  }
  const own = [...node.entries.keys()].filter(name => !entryKeys.includes(name));
  const { value } = await readValues<EntrySettings>({
    node: without(node, own),
    schema: entrySchema,
    path,
    variable: below => variableFor(key, below),
    findings,
  });
  const use = child(node, 'use');
  if (use === undefined) findings.problem(missingUse(key, path, keyOrigin, own));
  const replaced = child(node.beneath, 'use');
  return {
    key,
    origin: use?.origin ?? keyOrigin,
    use: value?.use,
    settings: value ?? entrySchema.parse({}),
    node: without(node, entryKeys),
    ...(replaced !== undefined && { replaced: { use: String(plain(replaced)), origin: replaced.origin } }),
  };
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
