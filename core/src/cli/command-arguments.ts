import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import type { ZodType } from 'zod';
import { type MapNode, mapNode } from '../config/node.js';
import { readValues } from '../config/read-values.js';
import { type Shape, ShapeReader, shapeOf } from '../config/shape.js';
import { refuse } from './command.js';

/** How a command of a plugin is called: its words, then its options. */
interface Argument {
  readonly key: string;
  /** `batch-size` of `batchSize`. */
  readonly name: string;
  readonly isOption: boolean;
  readonly isSwitch: boolean;
  readonly description: string | undefined;
}

/**
 * Reads the words after `keelson run <plugin> <command>` as the schema of the command says.
 *
 * @throws KeelsonError CLI_USAGE_INVALID with everything that is wrong.
 */
export async function readArguments<T>(call: string, schema: ZodType<T>, words: readonly string[]): Promise<T> {
  const known = argumentsOf(schema);
  const texts = textsOf(call, known, words);
  const { value, problems } = await readValues<T>({
    node: nodeOf(texts),
    schema,
    path: '',
    variable: path => path.join('.'),
  });
  if (problems.length === 0 && value !== undefined) return value;
  const wrong = problems.map(({ message, allowed }) =>
    allowed === undefined ? message : `${message} Allowed: ${allowed}.`,
  );
  return refuse(`The arguments of keelson run ${call} are invalid: ${wrong.join(' ')}`, usageHint(call, known));
}

/** The call with its words and options, and a line for each of them that is described. */
export function describeArguments(call: string, schema: ZodType): readonly string[] {
  const known = argumentsOf(schema);
  const described = known.filter(({ description }) => description !== undefined);
  return [usage(call, known), ...described.map(each => `      ${shown(each)}  ${each.description}`)];
}

function argumentsOf(schema: ZodType): readonly Argument[] {
  const shape = shapeOf(schema);
  const reader = new ShapeReader(shape);
  const properties = [...(reader.keys(shape) ?? new Map<string, Shape>())];
  return properties.map(([key, property]) => ({
    key,
    name: key.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`),
    isOption: shape.required?.includes(key) !== true,
    isSwitch: property.type === 'boolean',
    description: property.description,
  }));
}

type Texts = ReadonlyMap<string, string | boolean>;

function textsOf(call: string, known: readonly Argument[], words: readonly string[]): Texts {
  const options: ParseArgsOptionsConfig = Object.fromEntries(
    known.map(({ name, isSwitch }) => [name, { type: isSwitch ? 'boolean' : 'string' }] as const),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true });
    const named = known.flatMap(({ key, name }) => (values[name] === undefined ? [] : [[key, values[name]] as const]));
    const given = new Map<string, string | boolean>(named.map(([key, value]) => [key, textOf(value)]));
    const expected = known.filter(({ key, isOption }) => !isOption && !given.has(key));
    if (positionals.length > expected.length) {
      throw new Error(`It does not take ${positionals.slice(expected.length).join(', ')}.`);
    }
    positionals.forEach((word, index) => {
      const argument = expected[index];
      if (argument !== undefined) given.set(argument.key, word);
    });
    return given;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return refuse(`The arguments of keelson run ${call} are invalid: ${message}`, usageHint(call, known));
  }
}

function textOf(value: string | boolean | (string | boolean)[] | undefined): string | boolean {
  return typeof value === 'boolean' ? value : String(value);
}

function nodeOf(texts: Texts): MapNode {
  const origin = { from: 'code' } as const;
  const entries = [...texts].map(
    ([key, value]) =>
      [
        key,
        { key: origin, node: { kind: 'scalar', origin, value, ...(typeof value === 'string' && { text: true }) } },
      ] as const,
  );
  return mapNode(origin, entries);
}

function usage(call: string, known: readonly Argument[]): string {
  const words = known.map(each => (each.isOption ? `[${shown(each)}]` : shown(each)));
  return ['keelson run', call, ...words].join(' ');
}

function usageHint(call: string, known: readonly Argument[]): string {
  return `Write: ${usage(call, known)}`;
}

function shown({ name, isOption, isSwitch }: Argument): string {
  if (!isOption) return `<${name}>`;
  return isSwitch ? `--${name}` : `--${name} <${name}>`;
}
