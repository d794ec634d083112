import { resolve } from 'node:path';
import type { z } from 'zod';
import { KeelsonError } from '../contract/keelson-error.js';
import { fileStamp } from './file-stamp.js';
import { interpolate } from './interpolate.js';
import type { ConfigNode, MapNode } from './node.js';
import type { Problem } from './problem.js';
import { readValues } from './read-values.js';
import { type Variables, variableFor } from './variables.js';

export interface FileReferencesParts {
  /** The key of the plugin: `database`. */
  readonly key: string;
  /** The values of the plugin, as a tree that knows what was written. */
  readonly node: MapNode;
  readonly schema: z.ZodType | undefined;
  /** Where relative paths start. */
  readonly directory: string;
  /** Those of the start: a process has the variables that it was started with. */
  readonly variables: Variables;
}

const fileReference = /(?<!\$)\$\{file:([^}]*)\}/g;

/** The values of one plugin that come from files by `${file:...}`, read again when a file has changed. */
export class FileReferences {
  readonly #parts: FileReferencesParts;
  readonly #paths: readonly string[];
  #stamp: string;
  #config: unknown;

  private constructor(parts: FileReferencesParts, paths: readonly string[], config: unknown) {
    this.#parts = parts;
    this.#paths = paths;
    this.#config = config;
    this.#stamp = this.#stampNow();
  }

  /** Undefined when no value comes from a file. `config` is what has been read from `node`. */
  static of(parts: FileReferencesParts, config: unknown): FileReferences | undefined {
    const paths = [...new Set(pathsIn(parts.node))].map(path => resolve(parts.directory, path));
    return paths.length === 0 ? undefined : new FileReferences(parts, paths, config);
  }

  /** As `PluginContext.rereadFiles`. */
  async read(): Promise<unknown> {
    const stamp = this.#stampNow();
    if (stamp === this.#stamp) return this.#config;
    this.#config = await this.#readNow();
    this.#stamp = stamp;
    return this.#config;
  }

  async #readNow(): Promise<unknown> {
    const { key, node, schema, directory, variables } = this.#parts;
    const path = `plugins.${key}`;
    const filled = interpolate(asWritten(node), path, { variables, directory });
    refuse(filled.problems);
    const variable = (below: readonly PropertyKey[]) => variableFor(key, below);
    const read = await readValues({ node: filled.node, schema, path, variable });
    refuse(read.problems);
    return read.value;
  }

  #stampNow(): string {
    return this.#paths.map(path => fileStamp(path) ?? '').join('|');
  }
}

function pathsIn(node: ConfigNode): string[] {
  if (node.kind === 'list') return node.items.flatMap(pathsIn);
  if (node.kind === 'map') return [...node.entries.values()].flatMap(entry => pathsIn(entry.node));
  return [...(node.written ?? '').matchAll(fileReference)].map(([, path = '']) => path);
}

/** The tree with the references that name a file in the place of what was read from it. */
function asWritten<Node extends ConfigNode>(node: Node): Node;
function asWritten(node: ConfigNode): ConfigNode {
  if (node.kind === 'list') return { ...node, items: node.items.map(asWritten) };
  if (node.kind === 'scalar') return pathsIn(node).length === 0 ? node : { ...node, value: node.written ?? null };
  const entries = [...node.entries].map(([key, entry]) => [key, { ...entry, node: asWritten(entry.node) }] as const);
  return { ...node, entries: new Map(entries) };
}

function refuse(problems: readonly Problem[]): void {
  const [problem] = problems;
  if (problem === undefined) return;
  const { code, message, action, path } = problem;
  throw new KeelsonError({ code, message, ...(action && { hint: action }), facts: { path } });
}
