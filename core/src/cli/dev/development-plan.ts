import { explainValues } from '../../config/explain.js';
import { child, type MapNode } from '../../config/node.js';
import { ShapeReader } from '../../config/shape.js';
import type { Plan, PlannedPlugin } from '../../plan/plan.js';

/** Longest wait for running requests when the service restarts, in milliseconds. */
const drainMs = 1_000;

/**
 * The plan with what suits development: a stop without notice, logs for a person, and databases that compare their tables
 * with the entities.
 */
export function forDevelopment(plan: Plan): Plan {
  const { shutdown } = plan.settings;
  const byKey = new Map(plan.plugins.map(plugin => [plugin.key, withPrettyLogs(withSchemaCheck(plugin))]));
  const changed = (plugin: PlannedPlugin) => byKey.get(plugin.key) ?? plugin;
  return {
    ...plan,
    settings: {
      ...plan.settings,
      shutdown: { ...shutdown, noticeMs: 0, drainMs: Math.min(shutdown.drainMs, drainMs) },
    },
    plugins: plan.plugins.map(changed),
    levels: plan.levels.map(level => level.map(changed)),
  };
}

/** A database reports where its tables differ from the entities, unless the configuration says how. */
function withSchemaCheck(plugin: PlannedPlugin): PlannedPlugin {
  const { config, manifest, values } = plugin;
  if (manifest.slot !== 'database' || !isRecord(config) || !isRecord(config.schema)) return plugin;
  const schema = child(values.node, 'schema');
  const chosen = schema?.kind === 'map' ? child(schema, 'validateAtStart') : undefined;
  if (chosen !== undefined && chosen.origin.from !== 'default') return plugin;
  return { ...plugin, config: { ...config, schema: { ...config.schema, validateAtStart: 'warn' } } };
}

/** A logger writes for a person, unless the configuration says how. */
function withPrettyLogs(plugin: PlannedPlugin): PlannedPlugin {
  const { config, manifest, values } = plugin;
  const takesFormat = new ShapeReader(values.shape).keys(values.shape)?.has('format') === true;
  if (manifest.slot !== 'logger' || !takesFormat || !isRecord(config) || config.format !== undefined) return plugin;
  return { ...plugin, config: { ...config, format: 'pretty' } };
}

/** The values of all plugins by path, masked, with the package of each. */
export function valuesOf(plan: Plan): Record<string, string> {
  const values = plan.plugins.flatMap(({ key, use, values: { node, shape } }) => [
    [`${key}.use`, use] as const,
    ...explain(node, shape, key),
  ]);
  return Object.fromEntries(values);
}

function explain(node: MapNode, shape: Parameters<typeof explainValues>[1], key: string) {
  return explainValues(node, shape, key).flatMap(({ path, value }) =>
    value === undefined ? [] : [[path, value] as const],
  );
}

/** One line for each value that is another one; `database.pool.max: 10 -> 20`. */
export function differences(
  old: Readonly<Record<string, string>>,
  next: Readonly<Record<string, string>>,
): readonly string[] {
  const paths = [...new Set([...Object.keys(old), ...Object.keys(next)])];
  const changed = paths.filter(path => old[path] !== next[path]);
  // Of a plugin that is added, removed or replaced, the package says enough.
  const replaced = changed.filter(path => path.endsWith('.use')).map(path => path.slice(0, -'use'.length));
  return changed
    .filter(path => path.endsWith('.use') || !replaced.some(prefix => path.startsWith(prefix)))
    .map(path => `${path}: ${old[path] ?? '(none)'} -> ${next[path] ?? '(none)'}`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
