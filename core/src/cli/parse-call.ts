import { type ParseArgsOptionDescriptor, type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { nearest } from '../config/nearest.js';
import {
  type Call,
  type Command,
  commonOptions,
  type OptionDeclaration,
  type OptionDeclarations,
  refuse,
  type WordDeclarations,
} from './command.js';

type Parsed = Omit<Call<OptionDeclarations, WordDeclarations>, 'terminal'>;

/**
 * Reads what stands after `keelson <name>` as the declarations of the command say.
 *
 * @throws KeelsonError CLI_USAGE_INVALID.
 */
export function parseCall(name: string, command: Command, args: readonly string[]): Parsed {
  const declared = { ...command.options, ...commonOptions };
  const own = command.passesOn === true ? args.slice(0, firstWord(declared, args)) : args;
  const { values, positionals } = readArgs(declared, own);
  const options = Object.entries(values).map(([key, value]) => [key, Array.isArray(value) ? value.map(String) : value]);
  const { json, verbose, help } = values;
  const common = { json: json === true, verbose: verbose === true, help: help === true };
  const words = common.help ? {} : readWords(name, command.words ?? {}, [...positionals, ...args.slice(own.length)]);
  return { options: { ...Object.fromEntries(options), ...common }, words };
}

function parseArgsOptions(declared: OptionDeclarations): ParseArgsOptionsConfig {
  return Object.fromEntries(Object.entries(declared).map(([name, option]) => [name, forParseArgs(option)]));
}

function readArgs(declared: OptionDeclarations, args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: parseArgsOptions(declared), allowPositionals: true });
  } catch (error) {
    refuse(misread(error, Object.keys(declared)));
  }
}

/** Where the first word stands that is neither an option nor its value. */
function firstWord(declared: OptionDeclarations, args: readonly string[]): number {
  const { tokens } = parseArgs({
    args: [...args],
    options: parseArgsOptions(declared),
    strict: false,
    tokens: true,
  });
  return tokens.find(({ kind }) => kind === 'positional')?.index ?? args.length;
}

/** Every option gets a value, but for one that takes a single text and has no default. */
function forParseArgs({ value, short, multiple, default: preset }: OptionDeclaration): ParseArgsOptionDescriptor {
  const letter = short !== undefined && { short };
  if (value === undefined) return { ...letter, type: 'boolean', default: false };
  if (multiple === true) return { ...letter, type: 'string', multiple, default: [] };
  return { ...letter, type: 'string', ...(preset !== undefined && { default: preset }) };
}

/** What is wrong, with the option that was probably meant. */
function misread(error: unknown, known: readonly string[]): string {
  const message = error instanceof Error ? error.message : String(error);
  const unknown = /^Unknown option '--([^']+)'/.exec(message)?.[1];
  if (unknown === undefined) return message;
  const meant = nearest(unknown, known);
  return `Option --${unknown} does not exist.${meant === undefined ? '' : ` Did you mean --${meant}?`}`;
}

const anyOf = new Intl.ListFormat('en', { type: 'disjunction' });

function readWords(name: string, declared: WordDeclarations, given: readonly string[]): Parsed['words'] {
  const left = [...given];
  const words = Object.entries(declared).map(([key, { multiple, optional, choices = [] }]) => {
    if (multiple === true) return [key, left.splice(0)];
    const word = left.shift();
    const expected = choices.length === 0 ? `<${key}>` : anyOf.format(choices);
    if (word === undefined && optional !== true) refuse(`keelson ${name} needs ${expected}.`);
    if (word !== undefined && choices.length > 0 && !choices.includes(word)) {
      refuse(`keelson ${name} takes ${expected}, and got ${word}.`);
    }
    return [key, word];
  });
  if (left.length > 0) refuse(`keelson ${name} does not take ${left.join(', ')}.`);
  return Object.fromEntries(words);
}
