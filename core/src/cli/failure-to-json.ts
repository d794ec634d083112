import { describeError } from '../errors/describe-error.js';
import { PlanError, StartError } from '../kernel/errors.js';
import { reportToJson } from '../kernel/report.js';

/** Why a command failed, for a program: what `--json` prints on the standard output in the place of a result. */
export function failureToJson(error: unknown): unknown {
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
