import { isDeepStrictEqual } from 'node:util';
import { type ExplainedValue, explainValues } from '../config/explain.js';
import { type ConfigNode, closest, type MapEntry, type MapNode, mapNode, plain } from '../config/node.js';
import type { Origin } from '../config/place.js';
import type { PlannedPlugin } from '../plan/plan.js';
import { masked } from '../secrets/masked.js';

/** A value of a plugin that is another one in its next configuration. Secrets are masked. */
export interface ChangedValue {
  readonly path: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Whether `to` is the default, because nothing sets it any more. */
  readonly toDefault: boolean;
  readonly origin: Origin;
  readonly reloadable: boolean;
}

/** Returns the changed values: a default that is written out, or removed, is not a change. */
export function changedValues(old: PlannedPlugin, next: PlannedPlugin): ChangedValue[] {
  const before = valuesOf(old);
  const after = valuesOf(next);
  const paths = [...new Set([...after.keys(), ...before.keys()])];
  return paths.flatMap(path => {
    const from = before.get(path);
    const to = after.get(path);
    if (from !== undefined && to !== undefined) return isSame(old, next, from, to) ? [] : [changed(from, to)];
    // An added or removed map: lists the values that were set in it.
    const only = from ?? to;
    const others = from === undefined ? before : after;
    if (only === undefined || only.origin.from === 'default' || holdsOne(path, others)) return [];
    const changes = from === undefined ? changed(defaultOf(next, only), only) : changed(only, defaultOf(old, only));
    return changes.from === changes.to ? [] : [changes];
  });
}

/** `tree` with what stands at `path` in `source`, or without it when nothing stands there. */
export function replaceAt(tree: MapNode, path: readonly string[], source: ConfigNode): MapNode {
  const [key = '', ...rest] = path;
  const from: MapEntry | undefined = source.kind === 'map' ? source.entries.get(key) : undefined;
  const entries = new Map(tree.entries);
  const own = entries.get(key);
  if (rest.length === 0) {
    if (from === undefined) entries.delete(key);
    else entries.set(key, from);
    return { ...tree, entries };
  }
  const below = own?.node.kind === 'map' ? own.node : undefined;
  if (from === undefined && below === undefined) return tree;
  const place = from?.key ?? own?.key ?? tree.origin;
  const node = replaceAt(below ?? mapNode(place), rest, from?.node ?? mapNode(place));
  if (from === undefined && node.entries.size === 0) entries.delete(key);
  else entries.set(key, { key: place, node });
  return { ...tree, entries };
}

/** The keys below the plugin. */
export function keysOf(plugin: PlannedPlugin, path: string): readonly string[] {
  return path.slice(plugin.key.length + 1).split('.');
}

function changed(from: ExplainedValue, to: ExplainedValue): ChangedValue {
  const { path, origin, reloadable } = to;
  return { path, from: from.value, to: to.value, toDefault: origin.from === 'default', origin, reloadable };
}

function valuesOf({ values, key }: PlannedPlugin, node: MapNode = values.node): Map<string, ExplainedValue> {
  return new Map(explainValues(node, values.shape, key).map(value => [value.path, value]));
}

function holdsOne(path: string, values: ReadonlyMap<string, unknown>): boolean {
  return [...values.keys()].some(other => other.startsWith(`${path}.`));
}

function isSame(old: PlannedPlugin, next: PlannedPlugin, from: ExplainedValue, to: ExplainedValue): boolean {
  // Compared unmasked: two secrets look alike.
  if (isDeepStrictEqual(valueAt(old, from.path), valueAt(next, to.path))) return true;
  return from.value === to.value && from.value?.includes(masked) !== true;
}

/** What would be in force if nothing set it. */
function defaultOf(plugin: PlannedPlugin, value: ExplainedValue): ExplainedValue {
  const { node } = plugin.values;
  const [key = '', ...rest] = keysOf(plugin, value.path);
  const without = emptied(node, [key, ...rest]);
  const unset: ExplainedValue = { ...value, value: undefined, origin: { from: 'default' }, over: [] };
  return valuesOf(plugin, without).get(value.path) ?? unset;
}

/** `tree` without what stands at `path`; the maps around it stay. */
function emptied(tree: MapNode, [key = '', ...rest]: readonly string[]): MapNode {
  const entries = new Map(tree.entries);
  const own = entries.get(key);
  if (rest.length === 0) entries.delete(key);
  else if (own?.node.kind === 'map') entries.set(key, { ...own, node: emptied(own.node, rest) });
  return { ...tree, entries };
}

function valueAt(plugin: PlannedPlugin, path: string): unknown {
  const keys = keysOf(plugin, path);
  const parent = closest(plugin.values.node, keys.slice(0, -1));
  const node = closest(plugin.values.node, keys);
  return node === parent ? undefined : plain(node);
}
