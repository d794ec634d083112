import { PlanError, StartError } from '../../life/errors.js';
import { reportToJson } from '../../life/report.js';
import { describeError } from '../../secrets/describe-error.js';
import { formatError } from '../../secrets/format-error.js';
import type { CommonValues, Terminal } from '../command.js';

/** Prints why a command failed: for a person, and with `json` on the standard output for a program. */
export function reportFailure(
  error: unknown,
  { json, verbose }: Pick<CommonValues, 'json' | 'verbose'>,
  terminal: Terminal,
): void {
  if (json) terminal.out(JSON.stringify(failureToJson(error)));
  terminal.err(formatError(error, { verbose }));
}

function failureToJson(error: unknown): unknown {
  const { name, code, message, hint } = describeError(error);
  return {
    error: {
      ...(code === undefined ? { name } : { code }),
      message,
      ...(hint !== undefined && { hint }),
      ...(error instanceof PlanError && { problems: error.problems }),
      ...(error instanceof StartError && { report: reportToJson(error.report) }),
    },
  };
}
