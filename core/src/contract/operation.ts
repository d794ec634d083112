import type { z } from 'zod';
import type { RunContext } from './plugin-context.js';

/** The result of an operation. */
export interface OperationOutcome {
  /** One sentence. */
  readonly done: string;
  /** False when the operation had nothing to change. */
  readonly changed: boolean;
}

/** An operation on a running plugin: `keelson do <plugin> <operation> <arguments>`. */
export interface Operation<Arguments = unknown, Config = unknown> {
  /** One line for the list of operations. */
  readonly description: string;
  /**
   * An object schema. Its keys, in their order, are the words after the operation; it converts their texts. `forMs`, how long
   * a change lasts, may be given as `--for 5m`.
   */
  readonly arguments: z.ZodType<Arguments>;
  /**
   * Runs the operation and returns its result in one sentence: as text when it changed something, which the kernel logs
   * with the arguments, or as an outcome with `changed`.
   *
   * @throws KeelsonError when the operation fails; the operator sees its code, message and hint.
   */
  run(given: Arguments, context: RunContext<Config>): string | OperationOutcome | Promise<string | OperationOutcome>;
}

/** Returns the operation unchanged; types the arguments of `run`. */
export function defineOperation<Arguments, Config = unknown>(
  operation: Operation<Arguments, Config>,
): Operation<Arguments, Config> {
  return operation;
}
