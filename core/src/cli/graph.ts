import { formatProblem } from '../config/problem.js';
import { Kernel } from '../life/kernel.js';
import { toMermaid } from '../plan/draw-graph.js';
import { type Command, configOptions, exitCodes, kernelOptions } from './command.js';
import { planToJson } from './format-plan.js';
import { refuseUnreadable } from './refuse-unreadable.js';
import { writeOutput } from './write-output.js';

export const graph: Command = {
  name: 'graph',
  summary: 'draw the plugins, what they need, and in which order they start',
  usage: '[--out <file>] [--config keelson.yaml] [--environment <name>] [--json]',
  help: `Prints the plan as a Mermaid flowchart, which GitHub and many editors draw. An arrow
leads from a plugin to what it needs, a dotted one to the logger and the telemetry that watch it, a dashed one from who may
decorate a service to who provides it; a dashed frame is an optional plugin. The chart has these words in it as comments.

Exit codes: 0 the plan holds, 1 it does not (what could be planned is drawn, if the configuration can be read), 2 wrong usage.

  keelson graph
  keelson graph --out plan.mmd`,
  options: { ...configOptions, out: { type: 'string', short: 'o' } },
  async run(options, _positionals, terminal) {
    const plan = await Kernel.plan(kernelOptions(options, terminal));
    refuseUnreadable([plan]);
    for (const problem of plan.problems) terminal.err(formatProblem(problem));
    const text = options.json === true ? JSON.stringify(planToJson(plan), undefined, 2) : toMermaid(plan);
    if (typeof options.out === 'string') writeOutput(options.out, `${text}\n`);
    else terminal.out(text);
    return plan.problems.length === 0 ? exitCodes.clean : exitCodes.failed;
  },
};
