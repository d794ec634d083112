import type { Container } from 'inversify';
import type { z } from 'zod';

/** What a command of a plugin works with. */
export interface CommandContext {
  /** The plugin of the command and everything that it needs have started; no other plugin has. */
  readonly container: Container;
  /** Aborts at Ctrl-C and at SIGTERM. The command then ends its work, and reports in its error what is stored. */
  readonly signal: AbortSignal;
  /** Prints one line. */
  out(line: string): void;
  /** Shows the progress in one line. A terminal replaces it with the next; elsewhere one is printed every few seconds. */
  progress(line: string): void;
}

/** The module, or the object, that runs a command. */
export interface CommandWork<Arguments> {
  /** Does the work of the command. An error that it throws is printed, and the exit code is 1. */
  run(given: Arguments, context: CommandContext): Promise<void>;
}

/**
 * A command of a plugin: `keelson run <plugin> <command> <arguments>`. It runs in a process of its own, also while the
 * service does not run.
 */
export interface PluginCommand<Arguments = unknown> {
  /** One line for the list of commands. */
  readonly description: string;
  /**
   * An object schema. Its required keys, in their order, are the words after the command; every other key is an option
   * (`batchSize` is `--batch-size 100`). It converts their texts.
   */
  readonly arguments: z.ZodType<Arguments>;
  /** Imports the work. Called after the plugin has started: a plan imports nothing of it. */
  load(): Promise<CommandWork<Arguments>>;
}

/** Returns the command unchanged; types the arguments of its work by the schema. */
export function definePluginCommand<Arguments>(command: PluginCommand<Arguments>): PluginCommand<Arguments> {
  return command;
}
