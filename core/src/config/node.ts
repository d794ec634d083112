import type { Origin } from './place.js';

export type Scalar = string | number | boolean | null;

/** A tree of configuration in which every value knows where it comes from. */
export type ConfigNode = ScalarNode | ListNode | MapNode;

interface Located {
  readonly origin: Origin;
  /** What this value was laid over, in a lower layer. */
  readonly beneath?: ConfigNode;
}

export interface ScalarNode extends Located {
  readonly kind: 'scalar';
  readonly value: Scalar;
  /** True when it came as text (a variable) and the schema says what the text means. */
  readonly text?: boolean;
  /** True when it must not be shown whatever the schema says: it was read from a file of secrets. */
  readonly secret?: boolean;
  /** As written, before `${...}` was filled in. */
  readonly written?: string;
  /** The variables whose values stand in it: `PORT`. */
  readonly filledFrom?: readonly string[];
  /** True when it could not be read; the reason has been reported. */
  readonly unreadable?: boolean;
}

export interface ListNode extends Located {
  readonly kind: 'list';
  readonly items: readonly ConfigNode[];
}

export interface MapEntry {
  /** Where the key stands; for a problem with the key itself. */
  readonly key: Origin;
  readonly node: ConfigNode;
}

export interface MapNode extends Located {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export function mapNode(origin: Origin, entries: Iterable<readonly [string, MapEntry]> = []): MapNode {
  return { kind: 'map', origin, entries: new Map(entries) };
}

/** Returns the node under `key`; undefined when `node` is not a map or lacks the key. */
export function child(node: ConfigNode | undefined, key: string): ConfigNode | undefined {
  return node?.kind === 'map' ? node.entries.get(key)?.node : undefined;
}

/** The node at `path`, or the closest one above it. */
export function closest(node: ConfigNode, path: readonly PropertyKey[]): ConfigNode {
  let found = node;
  for (const step of path) {
    const next = found.kind === 'list' ? found.items[Number(step)] : child(found, String(step));
    if (next === undefined) return found;
    found = next;
  }
  return found;
}

/** The plain value of a tree; what could not be read is left out. */
export function plain(node: ConfigNode): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.unreadable === true ? undefined : node.value;
    case 'list':
      return node.items.map(plain);
    case 'map':
      return Object.fromEntries(
        [...node.entries]
          .map(([key, entry]) => [key, plain(entry.node)] as const)
          .filter(([, value]) => value !== undefined),
      );
  }
}

export function without(node: MapNode, keys: readonly string[]): MapNode {
  const kept = [...node.entries].filter(([key]) => !keys.includes(key));
  return { ...mapNode(node.origin, kept), ...(node.beneath && { beneath: node.beneath }) };
}

/** A tree for a plain value that is given in code. Functions and class instances are kept as they are, as scalars. */
export function nodeOf(value: unknown, origin: Origin): ConfigNode {
  if (Array.isArray(value)) return { kind: 'list', origin, items: value.map(item => nodeOf(item, origin)) };
  if (!isPlainObject(value)) return { kind: 'scalar', origin, value: value as Scalar };
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => [key, { key: origin, node: nodeOf(item, origin) }] as const);
  return mapNode(origin, entries);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
