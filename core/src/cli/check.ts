import { formatProblem } from '../config/problem.js';
import { Kernel } from '../kernel/kernel.js';
import { type Command, configOptions, exitCodes, kernelOptions } from './command.js';
import { formatPlan, planToJson } from './format-plan.js';

export const check: Command = {
  name: 'check',
  summary: 'say what a start would do, and everything that is wrong with the configuration',
  usage: '[--config keelson.yaml] [--environment <name>] [--json]',
  help: `Computes the plan of a start without starting or connecting to anything: which plugin fills each slot and where
that was decided, in which order they start, and every problem with its place and what to do.

Exit codes: 0 the plan holds, 1 it does not, 2 wrong usage.

  keelson check
  KEELSON_ENV=production keelson check --json`,
  options: configOptions,
  async run(options, _positionals, terminal) {
    const plan = await Kernel.plan(kernelOptions(options, terminal));
    if (options.json === true) {
      terminal.out(JSON.stringify(planToJson(plan), undefined, 2));
    } else {
      for (const warning of plan.warnings) terminal.err(`warning: ${formatProblem(warning)}`);
      if (plan.problems.length === 0) terminal.out(formatPlan(plan));
      for (const problem of plan.problems) terminal.err(formatProblem(problem));
      if (plan.problems.length > 0) terminal.err(`\n${count(plan.problems.length)}. Nothing was started.`);
    }
    return plan.problems.length === 0 ? exitCodes.clean : exitCodes.failed;
  },
};

function count(problems: number): string {
  return problems === 1 ? '1 problem' : `${problems} problems`;
}
