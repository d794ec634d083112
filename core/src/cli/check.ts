import { formatProblem, type Problem } from '../config/problem.js';
import { StartError } from '../life/errors.js';
import { Kernel } from '../life/kernel.js';
import type { Plan, PlannedPlugin } from '../plan/plan.js';
import { describeError } from '../secrets/describe-error.js';
import {
  type Command,
  configOptions,
  exitCodes,
  kernelOptions,
  type Options,
  type Terminal,
  withoutLogger,
} from './command.js';
import { formatPlan, planToJson } from './format-plan.js';

export const check: Command = {
  name: 'check',
  summary: 'say what a start would do, and everything that is wrong with the configuration',
  usage: '[--config keelson.yaml] [--environment <name>] [--bindings] [--json]',
  help: `Computes the plan of a start without starting or connecting to anything: which plugin fills each slot and where
that was decided, in which order they start, and every problem with its place and what to do.

With --bindings it also imports the plugins and lets them bind their services, starting none: that shows a singleton that
would keep what lives for one session, with the path to it, and services that nothing binds.

Exit codes: 0 the plan holds, 1 it does not, 2 wrong usage.

  keelson check
  keelson check --bindings
  KEELSON_ENV=production keelson check --json`,
  options: { ...configOptions, bindings: { type: 'boolean' } },
  async run(options, _positionals, terminal) {
    const planned = await Kernel.plan(kernelOptions(options, terminal));
    const tries = options.bindings === true && planned.problems.length === 0;
    const plan = tries ? { ...planned, problems: await bindingProblems(planned, options, terminal) } : planned;
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

/** Imports and registers every plugin of a plan that holds, and starts none; what is wrong then, as problems of the plan. */
async function bindingProblems(plan: Plan, options: Options, terminal: Terminal): Promise<Problem[]> {
  try {
    await using _registered = await Kernel.start({
      ...kernelOptions(options, terminal),
      ...withoutLogger,
      only: () => false,
    });
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
