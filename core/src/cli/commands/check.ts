import { formatProblem, type Problem } from '../../config/problem.js';
import { StartError } from '../../life/errors.js';
import { Kernel } from '../../life/kernel.js';
import type { KernelOptions } from '../../life/kernel-options.js';
import type { Plan, PlannedPlugin } from '../../plan/plan.js';
import { describeError } from '../../secrets/describe-error.js';
import { defineCommand, exitCodes, printJson } from '../command.js';
import { configOptions, kernelOptions, withoutLogger } from '../config-options.js';
import { formatPlan, planToJson } from '../output/format-plan.js';

export const check = defineCommand({
  description: `Computes the plan of a start without starting or connecting to anything: the plugin of each slot and the line
that chose it, the order of the start, and every problem with its place and a fix.

--bindings also finds a singleton that would keep a service of one session, with the path to it, and services that no plugin
binds.`,
  options: {
    bindings: { description: 'also import the plugins and bind their services, without starting them' },
    ...configOptions,
  },
  exitCodes: { 0: 'the plan is valid', 1: 'it is not' },
  examples: ['keelson check', 'keelson check --bindings', 'KEELSON_ENV=production keelson check --json'],
  async run({ options, terminal }) {
    const given = kernelOptions(options, terminal);
    const planned = await Kernel.plan(given);
    const tries = options.bindings && planned.problems.length === 0;
    const plan = tries ? { ...planned, problems: await bindingProblems(planned, given) } : planned;
    if (options.json) {
      printJson(terminal, planToJson(plan));
    } else {
      for (const warning of plan.warnings) terminal.err(`warning: ${formatProblem(warning)}`);
      if (plan.problems.length === 0) terminal.out(formatPlan(plan));
      for (const problem of plan.problems) terminal.err(formatProblem(problem));
      if (plan.problems.length > 0) terminal.err(`\n${count(plan.problems.length)}. Nothing was started.`);
    }
    return plan.problems.length === 0 ? exitCodes.clean : exitCodes.failed;
  },
});

/** Imports and registers every plugin of a valid plan, and starts none. Returns the faults as problems of the plan. */
async function bindingProblems(plan: Plan, options: KernelOptions): Promise<Problem[]> {
  try {
    await using _registered = await Kernel.start({ ...options, ...withoutLogger, only: () => false });
    return [];
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const failed = error.report.plugins.filter(({ outcome }) => outcome === 'failed');
    return failed.map(({ key, error: cause }) =>
      problemOf(
        cause,
        plan.plugins.find(plugin => plugin.key === key),
      ),
    );
  }
}

function problemOf(error: unknown, plugin: PlannedPlugin | undefined): Problem {
  const { code = 'KERNEL_START_FAILED', message, hint } = describeError(error);
  return {
    code: String(code),
    message,
    ...(plugin && { path: `plugins.${plugin.key}`, origin: plugin.origin }),
    ...(hint !== undefined && { action: hint }),
  };
}

function count(problems: number): string {
  return problems === 1 ? '1 problem' : `${problems} problems`;
}
