import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLParseError,
} from 'yaml';
import type { ReadFile } from './module-file.js';
import { type ConfigNode, type MapEntry, mapNode, type Scalar } from './node.js';
import type { Origin } from './place.js';
import type { Problem } from './problem.js';

/** No configuration written by a person comes near; a file that goes beyond by its aliases is an attack or a slip. */
const mostNodes = 20_000;
const deepest = 100;

/** Reads YAML (and so JSON too) into a tree of located values. `file` is the name used in problems. */
export function parseYaml(text: string, file: string): ReadFile {
  const problems: Problem[] = [];
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number | undefined): Origin => {
    if (offset === undefined) return { from: 'file', place: { file } };
    const { line, col } = lines.linePos(offset);
    return { from: 'file', place: { file, line, column: col } };
  };
  const refuse = (message: string, origin: Origin, action: string) => {
    problems.push({ code: 'CONFIG_SYNTAX', message, origin, action });
  };
  let nodes = 0;

  function convert(node: unknown, depth: number): ConfigNode {
    const origin = at(offsetOf(node));
    if (++nodes > mostNodes || depth > deepest) throw new TooLarge(origin);
    if (isAlias(node)) {
      const target = node.resolve(document);
      return target === undefined ? scalar(null, origin) : convert(target, depth + 1);
    }
    if (isMap(node))
      return mapNode(
        origin,
        node.items.flatMap(pair => convertPair(pair, depth + 1)),
      );
    if (isSeq(node)) {
      return { kind: 'list', origin, items: node.items.map(item => convert(item, depth + 1)) };
    }
    return scalar(isScalar(node) ? (node.value as Scalar) : null, origin);
  }

  function convertPair(pair: Pair, depth: number): [string, MapEntry][] {
    const origin = at(offsetOf(pair.key));
    if (!isScalar(pair.key) || pair.key.value === null) {
      refuse('A key is empty, a list or a map.', origin, 'Write each key as text: name: value.');
      return [];
    }
    const key = String(pair.key.value);
    const node = pair.value === null ? scalar(null, origin) : convert(pair.value, depth);
    return [[key, { key: origin, node }]];
  }

  for (const error of document.errors) {
    refuse(faultOf(error, text, file), at(error.pos[0]), advice(error.code, error.message));
  }
  if (document.errors.length > 0) return { problems };
  if (document.contents === null) return { node: mapNode(at(undefined)), problems };

  try {
    const root = convert(document.contents, 0);
    if (root.kind === 'map') return { node: root, problems };
    refuse('The file holds no keys.', root.origin, 'Begin with `service: <name>` and `plugins:`.');
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    const message = `The file expands to more than ${mostNodes} values, or deeper than ${deepest} levels.`;
    refuse(message, error.origin, 'Remove the alias (*name) that contains itself.');
  }
  return { problems };
}

class TooLarge extends Error {
  readonly origin: Origin;

  constructor(origin: Origin) {
    super('too large');
    this.origin = origin;
  }
}

function scalar(value: Scalar, origin: Origin): ConfigNode {
  return { kind: 'scalar', value, origin };
}

function offsetOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function faultOf({ code, message, pos }: YAMLParseError, text: string, file: string): string {
  if (code === 'MULTIPLE_DOCS') return 'The file holds more than one document; `---` begins the second.';
  const key = /^[\w./-]{1,60}(?=\s*:)/.exec(text.slice(pos[0]))?.[0];
  if (code === 'DUPLICATE_KEY') return `The key ${key ?? 'at this place'} appears twice in one map.`;
  return `The file is not valid ${file.endsWith('.json') ? 'JSON' : 'YAML'}: ${sentence(message)}`;
}

function sentence(message: string): string {
  // What the parser did not expect may be a part of a secret.
  const first = (message.split('\n')[0] ?? message).replace(/(token in [\w ]+): .*$/, '$1');
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

function advice(code: string, message: string): string {
  if (message.includes('reserved character')) return 'Put the value in quotes: "@scope/name".';
  if (code === 'DUPLICATE_KEY') return 'Keep one of the two.';
  if (code === 'MULTIPLE_DOCS')
    return 'Keep one document. Move the values of an environment to a separate file, such as keelson.production.yaml.';
  if (code === 'TAB_AS_INDENT') return 'Indent with spaces.';
  return 'Check the indentation, the quotes and the colons around this line.';
}
