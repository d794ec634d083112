import { type Facts, KeelsonError } from '../contract/keelson-error.js';
import type { Kernel } from '../life/kernel.js';
import type { KernelOptions } from '../life/kernel-options.js';

/** What a command reads from and writes to, so that it can be run in a test. */
export interface Terminal {
  readonly variables: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
  /**
   * Options of this process for every kernel that a command plans or starts. A bundle sets `modules` to its plugins;
   * `keelson dev` sets `sourceOf` when it runs the sources.
   */
  readonly kernel?: Pick<KernelOptions, 'modules' | 'sourceOf' | 'revise' | 'keepProcess'>;
  /** Called when `keelson start` has started the service. */
  onReady?(kernel: Kernel): void;
  /** Shows one line, which the next one replaces where the output is a terminal. Left out: it is not shown. */
  progress?(text: string): void;
  /** Where lines are broken. Left out: nowhere. */
  readonly columns?: { readonly out: number | undefined; readonly err: number | undefined };
}

/** A word after the command. Usage, help, parsing and the type of its value come from this declaration. */
export interface WordDeclaration {
  readonly description: string;
  readonly optional?: true;
  /** Takes all words that are left; the last one only. */
  readonly multiple?: true;
  readonly choices?: readonly string[];
}

/** An option, `--<name>`. Usage, help, parsing and the type of its value come from this declaration. */
export interface OptionDeclaration {
  readonly description: string;
  /** Names the value: `file` for `--out <file>`. An option without one is a switch. */
  readonly value?: string;
  /** One letter. */
  readonly short?: string;
  readonly default?: string;
  /** Whether it may be given several times. */
  readonly multiple?: true;
}

export type WordDeclarations = Readonly<Record<string, WordDeclaration>>;
export type OptionDeclarations = Readonly<Record<string, OptionDeclaration>>;

type WordValue<Word> = Word extends { multiple: true }
  ? readonly string[]
  : Word extends { optional: true }
    ? string | undefined
    : Word extends { description: string; multiple?: never; optional?: never }
      ? string
      : readonly string[] | string | undefined;

type OptionValue<Option> = Option extends { value: string; multiple: true }
  ? readonly string[]
  : Option extends { value: string; default: string }
    ? string
    : Option extends { value: string }
      ? string | undefined
      : Option extends { description: string; value?: never }
        ? boolean
        : readonly string[] | string | boolean | undefined;

export type WordValues<Words> = { readonly [Name in keyof Words]: WordValue<Words[Name]> };
export type OptionValues<Options> = { readonly [Name in keyof Options]: OptionValue<Options[Name]> };

/** The options that every command takes. */
export const commonOptions = {
  json: { description: 'print JSON, for a program' },
  verbose: { description: 'print the stack of an error as well' },
  help: { short: 'h', description: 'print this help' },
} as const satisfies OptionDeclarations;

export type CommonValues = OptionValues<typeof commonOptions>;

export interface Call<Options, Words> {
  readonly options: OptionValues<Options> & CommonValues;
  readonly words: WordValues<Words>;
  readonly terminal: Terminal;
}

export interface Command<
  Options extends OptionDeclarations = OptionDeclarations,
  Words extends WordDeclarations = WordDeclarations,
> {
  /** What it does and when to use it. Lines that begin with a space stay as they are. */
  readonly description: string;
  /** In their order on the command line. */
  readonly words?: Words;
  /** Beyond `commonOptions`. */
  readonly options: Options;
  /** Everything from the first word on belongs to the words, also what begins with a dash. */
  readonly passesOn?: true;
  /** What it prints on its standard output is data: no line of it is broken. */
  readonly printsData?: true;
  /** What each exit code means; 2 is wrong usage when nothing else is said. */
  readonly exitCodes: Readonly<Record<number, string>>;
  readonly examples: readonly string[];
  /**
   * Resolves to the exit code. An error that it throws is printed, as JSON too with `--json`; the exit code is 2 for wrong
   * usage, otherwise 1.
   */
  run(call: Call<Options, Words>): Promise<number>;
}

/** Returns `command`, whose `run` gets values of the types that the declarations say. */
export function defineCommand<const Options extends OptionDeclarations, const Words extends WordDeclarations>(
  command: Command<Options, Words>,
): Command<Options, Words> {
  return command;
}

export const exitCodes = { clean: 0, failed: 1, usage: 2, forced: 3, budgetExceeded: 4 } as const;

/** Fails with a message and what to do; for a command line that no command accepts when no other code is given. */
export function refuse(message: string, hint?: string, code = 'CLI_USAGE_INVALID', facts: Facts = {}): never {
  throw new KeelsonError({ code, message, facts, ...(hint !== undefined && { hint }) });
}

export function positiveInteger(option: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) refuse(`--${option} takes a whole number above 0, and got ${text}.`);
  return Number(text);
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(JSON.stringify(value, undefined, 2));
}
