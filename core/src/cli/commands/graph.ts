import { formatProblem } from '../../config/problem.js';
import { Kernel } from '../../life/kernel.js';
import { toMermaid } from '../../plan/draw-graph.js';
import { defineCommand, exitCodes } from '../command.js';
import { configOptions, kernelOptions } from '../config-options.js';
import { planToJson } from '../output/format-plan.js';
import { refuseUnreadable } from '../output/refuse-unreadable.js';
import { writeOutput } from '../output/write-output.js';

export const graph = defineCommand({
  description: `Prints the plan as a Mermaid flowchart, which GitHub and many editors draw. An arrow leads from a plugin to the
plugins that it needs, a dotted arrow to its logger and telemetry. A dotted arrow with the word decorates leads from a decorating
plugin to the provider of the service. A dashed frame marks an optional plugin. Comments in the chart also explain this.`,
  options: { out: { value: 'file', short: 'o', description: 'write the chart to a file' }, ...configOptions },
  printsData: true,
  exitCodes: {
    0: 'the plan is valid',
    1: 'it is not; the chart shows the valid part, if the configuration can be read',
  },
  examples: ['keelson graph', 'keelson graph --out plan.mmd'],
  async run({ options, terminal }) {
    const plan = await Kernel.plan(kernelOptions(options, terminal));
    refuseUnreadable([plan]);
    for (const problem of plan.problems) terminal.err(formatProblem(problem));
    const text = options.json ? JSON.stringify(planToJson(plan), undefined, 2) : toMermaid(plan);
    if (options.out === undefined) terminal.out(text);
    else writeOutput(options.out, `${text}\n`);
    return plan.problems.length === 0 ? exitCodes.clean : exitCodes.failed;
  },
});
