import { formatProblem, type Problem } from '../../config/problem.js';
import { PlanError } from '../../life/errors.js';
import type { Plan } from '../../plan/plan.js';

const unreadable = ['CONFIG_FILE_MISSING', 'CONFIG_FILE_UNREADABLE', 'CONFIG_SYNTAX'];

/** All problems of the plans, each once: environments share what stands in the common file. */
export function problemsOf(plans: readonly Plan[]): Problem[] {
  return [...new Map(plans.flatMap(plan => plan.problems).map(each => [formatProblem(each), each])).values()];
}

/**
 * Of a configuration that cannot be read there is nothing to draw or describe. A file that a value refers to is another
 * matter.
 *
 * @throws PlanError `KERNEL_PLAN_INVALID`, with what keeps it from being read.
 */
export function refuseUnreadable(plans: readonly Plan[]): void {
  const problems = problemsOf(plans).filter(({ code, path }) => unreadable.includes(code) && path === undefined);
  if (problems.length > 0) throw new PlanError({ problems }, 'Nothing was written.');
}
