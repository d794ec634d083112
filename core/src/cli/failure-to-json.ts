import { PlanError, StartError } from '../life/errors.js';
import { reportToJson } from '../life/report.js';
import { describeError } from '../secrets/describe-error.js';

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
