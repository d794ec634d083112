import { existsSync } from 'node:fs';
import type { ParseArgsOptionsConfig } from 'node:util';
import { configFiles } from '../config/config-files.js';
import { KeelsonError } from '../contract/keelson-error.js';

/** What a command reads from and writes to, so that it can be run in a test. */
export interface Terminal {
  readonly variables: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
}

export type Options = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** How it is called, after its name. */
  readonly usage: string;
  /** What it does, when to use it, and an example. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** Whether words besides the options are taken. Default false. */
  readonly positionals?: boolean;
  /**
   * Resolves to the exit code. What it throws is told, as JSON too when that is asked for; the exit code is 2 for wrong
   * usage, otherwise 1.
   */
  run(options: Options, positionals: readonly string[], terminal: Terminal): Promise<number>;
}

export const exitCodes = { clean: 0, failed: 1, usage: 2, forced: 3, budgetExceeded: 4 } as const;

/** The command line says something that cannot be meant; its exit code is 2, and the usage of the command is printed with it. */
export function wrongUsage(message: string, hint?: string): KeelsonError {
  return new KeelsonError({ code: 'CLI_USAGE_INVALID', message, ...(hint !== undefined && { hint }) });
}

/** The options that choose a configuration, which most commands take. */
export const configOptions = {
  config: { type: 'string', short: 'c' },
  environment: { type: 'string', short: 'e' },
  verbose: { type: 'boolean' },
  json: { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig;

/** The options of `configOptions` as the kernel takes them. */
export function kernelOptions(options: Options, terminal: Terminal) {
  const { config, environment } = options;
  return {
    config: typeof config === 'string' ? config : (configFiles.find(file => existsSync(file)) ?? 'keelson.yaml'),
    variables: terminal.variables,
    ...(typeof environment === 'string' && { environment }),
  };
}

/** For a command whose own output is what counts: lines of a logger would stand in the middle of it. */
export const withoutLogger = { overrides: { plugins: { logger: { use: 'none' } } } } as const;
