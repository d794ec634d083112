import {
  type Command,
  commonOptions,
  type OptionDeclaration,
  type OptionDeclarations,
  type WordDeclaration,
} from './command.js';
import { commandSummaries } from './commands.js';
import { fill, formatTable, wrapText } from './output/wrap.js';

/** `Usage: keelson verify <plugin> [--json]`. */
export function usageOf(name: string, { words = {}, options }: Command): string {
  const flags = allOptions(options).map(
    ([flag, option]) => `[${flagOf(flag, option)}]${option.multiple === true ? '...' : ''}`,
  );
  return fill(`Usage: keelson ${name}`, [...wordsOf(Object.entries(words)), ...flags], '  ').join('\n');
}

export function helpOf(name: string, command: Command): string {
  const { description, words = {}, options, exitCodes, examples } = command;
  const codes = Object.entries({ 2: 'wrong usage', ...exitCodes }).map(([code, meaning]) => `${code} ${meaning}`);
  return [
    usageOf(name, command),
    wrapText(description),
    ...section(
      'Arguments',
      Object.entries(words).map(([word, declared]) => [shown(word, declared), declared.description]),
    ),
    ...section(
      'Options',
      allOptions(options).map(([flag, option]) => describe(flag, option)),
    ),
    wrapText(`Exit codes: ${codes.join(', ')}.`),
    ['Examples:', ...examples.map(example => `  ${example}`)].join('\n'),
  ].join('\n\n');
}

/** All commands, for `keelson help`. */
export function overview(): string {
  return [
    'Usage: keelson <command> [options]',
    formatTable(Object.entries(commandSummaries)).join('\n'),
    'keelson <command> --help prints its options, exit codes and examples.',
  ].join('\n\n');
}

type Row = readonly [string, string];

function allOptions(options: OptionDeclarations): [string, OptionDeclaration][] {
  return Object.entries({ ...options, ...commonOptions });
}

function section(title: string, rows: readonly Row[]): string[] {
  return rows.length === 0 ? [] : [[`${title}:`, ...formatTable(rows)].join('\n')];
}

function describe(name: string, option: OptionDeclaration): Row {
  const short = option.short === undefined ? '    ' : `-${option.short}, `;
  const byDefault = option.default === undefined ? '' : ` (default: ${option.default})`;
  return [short + flagOf(name, option), option.description + byDefault];
}

function flagOf(name: string, { value }: OptionDeclaration): string {
  return value === undefined ? `--${name}` : `--${name} <${value}>`;
}

/** An optional word stands in brackets, with all that follow it. */
function wordsOf([first, ...rest]: readonly (readonly [string, WordDeclaration])[]): string[] {
  if (first === undefined) return [];
  const [name, word] = first;
  const text = shown(name, word);
  return word.optional === true ? [`[${[text, ...wordsOf(rest)].join(' ')}]`] : [text, ...wordsOf(rest)];
}

function shown(name: string, { multiple, choices }: WordDeclaration): string {
  return (choices?.join('|') ?? `<${name}>`) + (multiple === true ? '...' : '');
}
