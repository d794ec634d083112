import { type ServiceToken, serviceToken } from '../token.js';

export interface MigrateCommandContext {
  /** The words after the command. */
  readonly words: readonly string[];
  /** Prints one line. */
  readonly out: (line: string) => void;
}

/** One word after `keelson migrate`. */
export interface MigrateCommand {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** How it is called, after its name. */
  readonly usage: string;
  /** Resolves to the result that `--json` prints; to undefined when the printed lines are the whole result. */
  readonly run: (context: MigrateCommandContext) => Promise<unknown>;
}

/** What can be done about the migrations of a database; bound by its plugin beside the database itself. */
export const MigrateCommands: ServiceToken<readonly MigrateCommand[]> = serviceToken('@keelson/core/MigrateCommands');
