import { type ConfigNode, child, type MapEntry, type MapNode } from './node.js';

/** `upper` laid over `lower`: maps key by key, everything else as a whole. */
export function merge(lower: ConfigNode | undefined, upper: ConfigNode): ConfigNode {
  if (lower === undefined) return upper;
  if (lower.kind !== 'map' || upper.kind !== 'map') return { ...upper, beneath: lower };
  const entries = new Map(lower.entries);
  for (const [key, entry] of upper.entries) {
    entries.set(key, { key: entry.key, node: merge(lower.entries.get(key)?.node, entry.node) });
  }
  return { kind: 'map', origin: lower.origin, entries };
}

/**
 * Like `merge`, for the whole file: an upper layer that names another implementation for a plugin drops what the lower
 * ones said about it, because those keys belong to the implementation that is gone.
 */
export function mergeLayers(lower: MapNode, upper: MapNode): MapNode {
  const lowerPlugins = child(lower, 'plugins');
  const upperPlugins = upper.entries.get('plugins');
  const merged = merge(lower, upper) as MapNode;
  if (lowerPlugins?.kind !== 'map' || upperPlugins?.node.kind !== 'map') return merged;

  const plugins = new Map<string, MapEntry>(lowerPlugins.entries);
  for (const [key, entry] of upperPlugins.node.entries) {
    plugins.set(key, { key: entry.key, node: mergePlugin(lowerPlugins.entries.get(key)?.node, entry.node) });
  }
  const node: MapNode = { kind: 'map', origin: lowerPlugins.origin, entries: plugins };
  return { ...merged, entries: new Map(merged.entries).set('plugins', { key: upperPlugins.key, node }) };
}

function mergePlugin(lower: ConfigNode | undefined, upper: ConfigNode): ConfigNode {
  const before = child(lower, 'use');
  const after = child(upper, 'use');
  const replaced = after?.kind === 'scalar' && before?.kind === 'scalar' && after.value !== before.value;
  return replaced && lower !== undefined ? { ...upper, beneath: lower } : merge(lower, upper);
}
