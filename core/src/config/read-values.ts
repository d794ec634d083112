import type { z } from 'zod';
import { keepSecret } from '../secrets/known-secrets.js';
import { coerceText, coerceUnit } from './coerce.js';
import { looksSecret } from './interpolate.js';
import { issueProblems } from './issues.js';
import { keepSecretFields } from './keep-secret-fields.js';
import { nearest, normalize } from './nearest.js';
import { type ConfigNode, type MapEntry, type MapNode, mapNode, type ScalarNode } from './node.js';
import { joinPath } from './place.js';
import type { Findings } from './problem.js';
import { type Shape, ShapeReader, shapeOf } from './shape.js';

export interface ReadRequest {
  readonly node: MapNode;
  readonly schema: z.ZodType | undefined;
  /** The key of `node` in the whole configuration: `plugins.database`. */
  readonly path: string;
  /** The variable that would set the value at a path under `node`. */
  readonly variable: (path: readonly PropertyKey[]) => string;
  readonly findings: Findings;
}

export interface ReadResult<T> {
  /** Undefined when something is wrong; what, is in the findings. */
  readonly value: T | undefined;
  /** The tree after renamed keys and texts have been settled. */
  readonly node: MapNode;
  readonly shape: Shape;
}

/**
 * Turns a tree into the value its schema describes: texts become what the schema says they mean, renamed keys are
 * moved, unknown keys are refused. Every problem is reported, each with its place.
 */
export async function readValues<T>(request: ReadRequest): Promise<ReadResult<T>> {
  const shape = shapeOf(request.schema);
  const settler = new Settler(new ShapeReader(shape), request.findings);
  const node = settler.map(request.node, shape, request.path, settler.reader.isSecret(shape));
  const value = plain(node);
  if (request.schema === undefined) return { value: value as T, node, shape };

  const before = request.findings.problems.length;
  const parsed = await parse(request.schema, value);
  if (Array.isArray(parsed.issues)) {
    request.findings.problems.push(...issueProblems(parsed.issues, { ...request, node, reader: settler.reader }));
  }
  const sound = parsed.issues === undefined && request.findings.problems.length === before;
  keepSecretFields(parsed.value, node);
  return { value: sound ? (parsed.value as T) : undefined, node, shape };
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

class Settler {
  readonly reader: ShapeReader;
  readonly #findings: Findings;

  constructor(reader: ShapeReader, findings: Findings) {
    this.reader = reader;
    this.#findings = findings;
  }

  /** With `secret` everything inside is one: a key in a map of secrets, an item of a list of secrets. */
  map(node: MapNode, shape: Shape, path: string, secret: boolean): MapNode {
    const keys = this.reader.keys(shape);
    const entries = new Map<string, MapEntry>();
    for (const [given, entry] of node.entries) {
      const key = keys === undefined ? given : this.#settleKey(given, entry, keys, path);
      if (key === undefined) continue;
      const below = joinPath(path, key);
      const settled = this.#node(entry.node, this.reader.property(shape, key), below, key, secret);
      // The new name wins when both are given.
      if (given === key || !entries.has(key)) entries.set(key, { key: entry.key, node: settled });
    }
    return { ...node, entries };
  }

  #node(node: ConfigNode, shape: Shape, path: string, key: string, within: boolean): ConfigNode {
    this.#warnIfDeprecated(node, shape, path);
    const secret = within || this.reader.isSecret(shape);
    switch (node.kind) {
      case 'map':
        return this.map(node, shape, path, secret);
      case 'list':
        return this.#list(node.items, node, shape, path, key, secret);
      case 'scalar':
        return this.#scalar(node, shape, path, key, secret);
    }
  }

  #list(
    items: readonly ConfigNode[],
    list: ConfigNode,
    shape: Shape,
    path: string,
    key: string,
    secret: boolean,
  ): ConfigNode {
    const settled = items.map((item, index) =>
      this.#node(item, this.reader.item(shape, index), joinPath(path, index), key, secret),
    );
    return { kind: 'list', origin: list.origin, items: settled, ...(list.beneath && { beneath: list.beneath }) };
  }

  #scalar(node: ScalarNode, shape: Shape, path: string, key: string, within: boolean): ConfigNode {
    const secret = within || node.secret === true || looksSecret(key);
    if ((within || node.secret === true) && typeof node.value === 'string') keepSecret(node.value);
    if (node.unreadable === true || typeof node.value !== 'string') return { ...node, secret };
    const alternatives = this.reader.alternatives(shape);
    const measured = coerceUnit(node.value, key, alternatives);
    if (measured !== undefined) return { ...node, value: measured, secret };
    if (node.text !== true) return { ...node, secret };
    const value = coerceText(node.value, alternatives);
    if (!Array.isArray(value)) return { ...node, value: value as ScalarNode['value'], secret };
    const items = value.map((item): ScalarNode => ({ ...node, value: item, secret }));
    return this.#list(items, node, shape, path, key, secret);
  }

  #settleKey(given: string, entry: MapEntry, keys: ReadonlyMap<string, Shape>, path: string): string | undefined {
    if (keys.has(given)) return given;
    const renamed = [...keys].find(([, shape]) => shape.formerly?.includes(given))?.[0];
    if (renamed !== undefined) {
      this.#findings.warn({
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
    this.#findings.problem(unknownKey(given, entry, [...keys.keys()], path));
    return undefined;
  }

  #warnIfDeprecated(node: ConfigNode, shape: Shape, path: string): void {
    if (shape.deprecation === undefined) return;
    this.#findings.warn({
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
    allowed: known.length === 0 ? 'no key but use, optional, startTimeoutMs and stopTimeoutMs' : known.join(', '),
    ...(meant !== undefined && { nearest: meant }),
    action: meant === undefined ? 'Remove it.' : `Write ${meant}, or remove it.`,
  };
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

/** `node` without some of its keys. */
export function without(node: MapNode, keys: readonly string[]): MapNode {
  const kept = [...node.entries].filter(([key]) => !keys.includes(key));
  return { ...mapNode(node.origin, kept), ...(node.beneath && { beneath: node.beneath }) };
}
