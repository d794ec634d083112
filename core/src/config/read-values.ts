import type { z } from 'zod';
import { addSecret } from '../secrets/known-secrets.js';
import { coerceText, coerceUnit } from './coerce.js';
import { issueProblems } from './issues.js';
import { markSecrets } from './mark-secrets.js';
import { nearest, normalize } from './nearest.js';
import { type ConfigNode, type MapEntry, type MapNode, plain, type ScalarNode } from './node.js';
import { joinPath } from './place.js';
import type { Findings, Problem } from './problem.js';
import { type Shape, ShapeReader, shapeOf } from './shape.js';

export interface ReadRequest {
  readonly node: MapNode;
  readonly schema: z.ZodType | undefined;
  /** The key of `node` in the whole configuration: `plugins.database`. */
  readonly path: string;
  /** The variable that would set the value at a path under `node`. */
  readonly variable: (path: readonly PropertyKey[]) => string;
  /** The problems found so far; they are not reported again. */
  readonly reported?: readonly Problem[];
}

export interface ReadResult<T> extends Findings {
  /** Undefined when it is not what the schema asks for; why is in the problems. */
  readonly value: T | undefined;
  /** The tree after renamed keys and texts have been settled. */
  readonly node: MapNode;
  readonly shape: Shape;
}

/**
 * Turns a tree into the value its schema describes: texts become what the schema says they mean, renamed keys are
 * moved, unknown keys are refused. Every problem has its place.
 */
export async function readValues<T>(request: ReadRequest): Promise<ReadResult<T>> {
  const shape = shapeOf(request.schema);
  const settler = new Settler(new ShapeReader(shape));
  const node = settler.map(request.node, shape, request.path, settler.reader.isSecret(shape));
  const value = plain(node);
  const { problems, warnings, reader } = settler;
  if (request.schema === undefined) return { value: value as T, node, shape, problems, warnings };

  const parsed = await parse(request.schema, value);
  const reported = [...(request.reported ?? []), ...problems];
  const wrong = issueProblems(parsed.issues ?? [], { ...request, node, reader, reported });
  markSecrets(parsed.value, node);
  return { value: parsed.value as T | undefined, node, shape, problems: [...problems, ...wrong], warnings };
}

interface Parsed {
  readonly value?: unknown;
  readonly issues?: readonly z.core.$ZodIssue[];
}

async function parse(schema: z.ZodType, value: unknown): Promise<Parsed> {
  try {
    const result = await schema.safeParseAsync(value);
    return result.success ? { value: result.data } : { issues: result.error.issues };
  } catch (error) {
    const message = `The schema of the plugin failed: ${error instanceof Error ? error.message : String(error)}`;
    return { issues: [{ code: 'custom', path: [], message, input: undefined }] };
  }
}

interface Spot {
  readonly shape: Shape;
  readonly path: string;
  readonly key: string;
  /** Whether all that stands in it is a secret. */
  readonly secret: boolean;
}

class Settler {
  readonly reader: ShapeReader;
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];

  constructor(reader: ShapeReader) {
    this.reader = reader;
  }

  /** With `secret` everything inside is one: a key in a map of secrets, an item of a list of secrets. */
  map(node: MapNode, shape: Shape, path: string, secret: boolean): MapNode {
    const keys = this.reader.keys(shape);
    const entries = new Map<string, MapEntry>();
    for (const [given, entry] of node.entries) {
      const key = keys === undefined ? given : this.#settleKey(given, entry, keys, path);
      if (key === undefined) continue;
      const spot = { shape: this.reader.property(shape, key), path: joinPath(path, key), key, secret };
      const settled = this.#node(entry.node, spot);
      // The new name wins when both are given.
      if (given === key || !entries.has(key)) entries.set(key, { key: entry.key, node: settled });
    }
    return { ...node, entries };
  }

  #node(node: ConfigNode, spot: Spot): ConfigNode {
    const { shape, path } = spot;
    this.#warnIfDeprecated(node, shape, path);
    const secret = spot.secret || this.reader.isSecret(shape);
    switch (node.kind) {
      case 'map':
        return this.map(node, shape, path, secret);
      case 'list':
        return this.#list(node.items, node, { ...spot, secret });
      case 'scalar':
        return this.#scalar(node, { ...spot, secret });
    }
  }

  #list(items: readonly ConfigNode[], { origin, beneath }: ConfigNode, spot: Spot): ConfigNode {
    const { shape, path } = spot;
    const settled = items.map((item, index) =>
      this.#node(item, { ...spot, shape: this.reader.item(shape, index), path: joinPath(path, index) }),
    );
    return { kind: 'list', origin, items: settled, ...(beneath && { beneath }) };
  }

  #scalar(node: ScalarNode, spot: Spot): ConfigNode {
    const { shape, key } = spot;
    const marked = spot.secret || node.secret === true;
    const secret = marked || this.reader.looksSecret(shape, key);
    if (marked && typeof node.value === 'string') addSecret(node.value);
    if (node.unreadable === true || typeof node.value !== 'string') return { ...node, secret };
    const alternatives = this.reader.alternatives(shape);
    const measured = coerceUnit(node.value, key, alternatives);
    if (measured !== undefined) return { ...node, value: measured, secret };
    if (node.text !== true) return { ...node, secret };
    const value = coerceText(node.value, alternatives);
    if (!Array.isArray(value)) return { ...node, value: value as ScalarNode['value'], secret };
    const items = value.map((item): ScalarNode => ({ ...node, value: item, secret }));
    return this.#list(items, node, { ...spot, secret });
  }

  #settleKey(given: string, entry: MapEntry, keys: ReadonlyMap<string, Shape>, path: string): string | undefined {
    if (keys.has(given)) return given;
    const renamed = [...keys].find(([, shape]) => shape.formerly?.includes(given))?.[0];
    if (renamed !== undefined) {
      this.warnings.push({
        code: 'CONFIG_KEY_RENAMED',
        message: `${joinPath(path, given)} is now called ${renamed}.`,
        path: joinPath(path, given),
        origin: entry.key,
        action: `Write ${renamed} instead; the old name will stop working.`,
      });
      return renamed;
    }
    const same = entry.key.from === 'variable' && [...keys.keys()].find(key => normalize(key) === normalize(given));
    if (same) return same;
    this.problems.push(unknownKey(given, entry, [...keys.keys()], path));
    return undefined;
  }

  #warnIfDeprecated(node: ConfigNode, shape: Shape, path: string): void {
    if (shape.deprecation === undefined) return;
    this.warnings.push({
      code: 'CONFIG_KEY_DEPRECATED',
      message: `${path} is deprecated and will stop working.`,
      path,
      origin: node.origin,
      action: shape.deprecation,
    });
  }
}

function unknownKey(given: string, entry: MapEntry, known: readonly string[], path: string) {
  const meant = nearest(given, known);
  return {
    code: 'CONFIG_KEY_UNKNOWN',
    message: `${path} has no key ${given}.`,
    path: joinPath(path, given),
    origin: entry.key,
    allowed: known.length === 0 ? 'only use, optional, startTimeoutMs and stopTimeoutMs' : known.join(', '),
    ...(meant !== undefined && { nearest: meant }),
    action: meant === undefined ? 'Remove it.' : `Write ${meant}, or remove it.`,
  };
}
