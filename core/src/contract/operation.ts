import type { z } from 'zod';
import type { RunContext } from './plugin-context.js';

/** What came of an operation. */
export interface OperationOutcome {
  /** One sentence. */
  readonly done: string;
  /** False when everything was as asked already. */
  readonly changed: boolean;
}

/** Something an operator may do to a running plugin: `keelson do <plugin> <operation> <arguments>`. */
export interface Operation<Arguments = unknown, Config = unknown> {
  /** One line for the list of operations. */
  readonly description: string;
  /** An object. Its keys, in their order, are the words after the operation; texts become what it says they mean. */
  readonly arguments: z.ZodType<Arguments>;
  /**
   * Does it, and says in one sentence what has been done: as text when something has changed, which is logged with the
   * arguments, or as an outcome that says whether.
   *
   * @throws KeelsonError when the operation fails; the operator sees its code, message and hint.
   */
  run(given: Arguments, context: RunContext<Config>): string | OperationOutcome | Promise<string | OperationOutcome>;
}

/** The operation as given; gives `run` the type of its arguments. */
export function defineOperation<Arguments, Config = unknown>(
  operation: Operation<Arguments, Config>,
): Operation<Arguments, Config> {
  return operation;
}
