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
  /** The words that may follow its name: `<Name> [<folder>]`. Empty when it takes none. */
  readonly usage: string;
  /** Resolves to the result that `--json` prints; to undefined when the printed lines are the whole result. */
  readonly run: (context: MigrateCommandContext) => Promise<unknown>;
}

/** The migration commands of a database; its plugin binds them beside the database itself. */
export const MigrateCommands: ServiceToken<readonly MigrateCommand[]> = serviceToken('@keelson/core/MigrateCommands');
