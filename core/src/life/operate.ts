import { nearest } from '../config/nearest.js';
import { type MapNode, mapNode } from '../config/node.js';
import { readValues } from '../config/read-values.js';
import { ShapeReader, shapeOf } from '../config/shape.js';
import { type Facts, KeelsonError } from '../contract/keelson-error.js';
import type { Operation, OperationOutcome } from '../contract/operation.js';
import { masked } from '../secrets/masked.js';
import type { RunningPlugin } from './running-plugin.js';

export interface OperationRequest {
  /** The key of the plugin. */
  readonly plugin: string;
  readonly operation: string;
  readonly words: readonly string[];
  /** Arguments by their name, beside the words. */
  readonly named?: Readonly<Record<string, string>>;
}

export interface Operated extends OperationOutcome {
  /** The arguments by name; secrets are masked. */
  readonly given: Facts;
}

/** Finds the operation, reads its arguments and runs it. */
export async function operate(running: readonly RunningPlugin[], request: OperationRequest): Promise<Operated> {
  const plugin = running.find(({ key }) => key === request.plugin);
  const operations = plugin?.operations ?? {};
  const operation = Object.hasOwn(operations, request.operation) ? operations[request.operation] : undefined;
  if (plugin === undefined || operation === undefined) throw unknownOperation(request, running);
  const given = await argumentsOf(operation, request);
  return { ...(await plugin.operate(operation, given)), given: maskArguments(operation, given) };
}

function maskArguments(operation: Operation, given: unknown): Facts {
  const reader = new ShapeReader(shapeOf(operation.arguments));
  const entries = Object.entries((given ?? {}) as Facts);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, reader.isSecret(reader.property(reader.root, name)) ? masked : value]),
  );
}

async function argumentsOf(operation: Operation, request: OperationRequest): Promise<unknown> {
  const shape = shapeOf(operation.arguments);
  const names = [...(new ShapeReader(shape).keys(shape)?.keys() ?? [])];
  const read = await readValues<unknown>({
    node: nodeOfWords(names, request),
    schema: operation.arguments,
    path: '',
    variable: path => path.join('.'),
  });
  const tooMany = request.words.slice(names.length);
  const unknown = Object.keys(request.named ?? {}).filter(name => !names.includes(name));
  const wrong = [
    ...read.problems.map(({ message, allowed }) =>
      allowed === undefined ? message : `${message} Allowed: ${allowed}.`,
    ),
    ...unknown.map(name => `It has no argument ${name}.`),
    ...(tooMany.length > 0 ? [`No argument is allowed after ${names.at(-1) ?? request.operation}.`] : []),
  ];
  if (wrong.length === 0) return read.value;
  const usage = [request.plugin, request.operation, ...names.map(name => `<${name}>`)].join(' ');
  throw new KeelsonError({
    code: 'KERNEL_OPERATION_INVALID',
    message: `The arguments of ${request.plugin} ${request.operation} are wrong: ${wrong.join(' ')}`,
    hint: `Write: keelson do ${usage}`,
    facts: { plugin: request.plugin, operation: request.operation, arguments: names },
  });
}

/** A named argument wins over the word in its place. */
function nodeOfWords(names: readonly string[], { words, named = {} }: OperationRequest): MapNode {
  const origin = { from: 'code' } as const;
  const texts = names.map((name, index) => [name, Object.hasOwn(named, name) ? named[name] : words[index]] as const);
  const entries = texts
    .flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
    .map(([name, value]) => [name, { kind: 'scalar', origin, value, text: true }] as const)
    .map(([name, node]) => [name, { key: origin, node }] as const);
  return mapNode(origin, entries);
}

function unknownOperation({ plugin, operation }: OperationRequest, running: readonly RunningPlugin[]): KeelsonError {
  const known = running.flatMap(({ key, operations }) => Object.keys(operations).map(name => `${key} ${name}`));
  const meant = nearest(`${plugin} ${operation}`, known);
  return new KeelsonError({
    code: 'KERNEL_OPERATION_UNKNOWN',
    message: `No running plugin has the operation ${plugin} ${operation}.`,
    hint: meant !== undefined ? `Did you mean ${meant}?` : `Available: ${known.join(', ') || 'none'}.`,
    facts: { plugin, operation, known },
  });
}
