import { maskText } from '../secrets/mask-text.js';
import { masked } from '../secrets/masked.js';
import { unitHint } from './coerce.js';
import { type ConfigNode, child, type MapNode, plain, type ScalarNode } from './node.js';
import { formatOrigin, joinPath, type Origin } from './place.js';
import { type Shape, ShapeReader } from './shape.js';

/** One value of the configuration as it is in force, and why it is that one. */
export interface ExplainedValue {
  /** `database.pool.max`, `shutdown.noticeMs`. */
  readonly path: string;
  /** As JSON; masked when it is a secret; undefined when nothing sets it and it has no default. */
  readonly value: string | undefined;
  readonly origin: Origin;
  /** As written, when `${...}` was filled in. */
  readonly written?: string;
  /** The values of lower layers that this one took the place of, nearest first. */
  readonly over: readonly { readonly value: string; readonly origin: Origin }[];
  readonly description?: string;
  readonly allowed?: string;
  readonly reloadable: boolean;
}

/** Lists every key of a schema, in the order of the schema: set values, defaults, and unset keys. */
export function explainValues(node: MapNode | undefined, shape: Shape, path: string): ExplainedValue[] {
  return walk({ node, shape, path, key: '', within: false }, new ShapeReader(shape));
}

interface Spot {
  readonly node: ConfigNode | undefined;
  readonly shape: Shape;
  readonly path: string;
  /** The last key of `path`. */
  readonly key: string;
  /** Whether what it stands in is a secret as a whole. */
  readonly within: boolean;
}

function walk(spot: Spot, reader: ShapeReader): ExplainedValue[] {
  const { node, shape, path } = spot;
  const within = spot.within || reader.isSecret(shape);
  const keys = reader.keys(shape);
  const isMap = keys !== undefined && keys.size > 0 && (node === undefined || node.kind === 'map');
  if (isMap) {
    return [...keys].flatMap(([key, below]) =>
      walk({ node: child(node, key), shape: below, path: joinPath(path, key), key, within }, reader),
    );
  }
  const isEmpty = node === undefined || (node.kind === 'map' && node.entries.size === 0);
  const each = isEmpty ? ofEach(spot, within, reader) : [];
  if (node === undefined || each.length > 0) return [leaf(spot, reader), ...each];
  if (node.kind !== 'map') return [leaf(spot, reader)];
  return [...node.entries].flatMap(([key, entry]) =>
    walk({ node: entry.node, shape: reader.property(shape, key), path: joinPath(path, key), key, within }, reader),
  );
}

/** Of a map that nothing has been put into: what each entry would hold, `retry.policies.<name>.maxAttempts`. */
function ofEach({ shape, path }: Spot, within: boolean, reader: ShapeReader): ExplainedValue[] {
  const entry = reader.alternatives(shape).find(part => typeof part.additionalProperties === 'object');
  const below = entry === undefined ? {} : reader.property(entry, '<name>');
  if ((reader.keys(below)?.size ?? 0) === 0) return [];
  const spot = { node: undefined, shape: below, path: joinPath(path, '<name>'), key: '<name>', within };
  return walk(spot, reader);
}

function leaf({ node, shape, path, key, within }: Spot, reader: ShapeReader): ExplainedValue {
  const secret = within || reader.isSecret(shape) || reader.looksSecret(shape, key);
  // The secret parts of a default and of lower layers are not marked.
  const unmarked = secret || reader.holdsSecret(shape);
  const allowed = reader.describe(shape);
  return {
    path,
    value: node === undefined ? shown(shape.default, unmarked) : shown(plain(node), secret || holdsSecret(node)),
    origin: node?.origin ?? { from: 'default' },
    ...(node?.kind === 'scalar' && writtenOf(node, secret || holdsSecret(node))),
    over: beneath(node, unmarked),
    ...(shape.description !== undefined && { description: shape.description }),
    ...(allowed !== undefined && { allowed: allowed + unitHint(key) }),
    reloadable: shape.reloadable === true,
  };
}

/** What was written in a file is shown; of a secret no more than the names it refers to. */
function writtenOf(node: ScalarNode, secret: boolean): { written?: string } {
  if (node.origin.from !== 'file' || node.written === undefined) return {};
  if (!secret) return { written: maskText(node.written) };
  const references = node.written.match(/\$\{(file:)?[^}:]+/g) ?? [];
  return { written: references.map(reference => `${reference}}`).join(' ') };
}

function beneath(node: ConfigNode | undefined, secret: boolean): ExplainedValue['over'] {
  const found: { value: string; origin: Origin }[] = [];
  for (let below = node?.beneath; below !== undefined; below = below.beneath) {
    found.push({ value: shown(plain(below), secret || holdsSecret(below)) ?? 'nothing', origin: below.origin });
  }
  return found;
}

function holdsSecret(node: ConfigNode): boolean {
  switch (node.kind) {
    case 'scalar':
      return node.secret === true;
    case 'list':
      return node.items.some(holdsSecret);
    case 'map':
      return [...node.entries.values()].some(entry => holdsSecret(entry.node));
  }
}

function shown(value: unknown, secret: boolean): string | undefined {
  if (value === undefined) return undefined;
  return secret && !holdsNothing(value) ? masked : maskText(JSON.stringify(value));
}

function holdsNothing(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** `10  (keelson.yaml:4:3, over 5 from default)`. */
export function formatExplained(value: ExplainedValue): string {
  const origin = value.value === undefined ? 'not set' : formatOrigin(value.origin);
  const written = value.written === undefined ? '' : ` ${value.written}`;
  const over = value.over.map(below => `, over ${below.value} from ${formatOrigin(below.origin)}`).join('');
  return `${value.value ?? '-'}  (${origin}${written}${over})`;
}
