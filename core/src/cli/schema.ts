import { formatProblem } from '../config/problem.js';
import { Kernel } from '../life/kernel.js';
import { serviceSchema } from '../plan/service-schema.js';
import { type Command, configOptions, exitCodes, kernelOptions } from './command.js';
import { problemsOf, refuseUnreadable } from './refuse-unreadable.js';
import { writeOutput } from './write-output.js';

export const schema: Command = {
  name: 'schema',
  summary: 'write the JSON Schema of the configuration, so that an editor completes and checks it',
  usage: '[--config keelson.yaml] [--out keelson.schema.json]',
  help: `Prints the JSON Schema of this service: the keys of every plugin that any of its environments chooses. Name it in
the first line of keelson.yaml:

  keelson schema --out keelson.schema.json
  # yaml-language-server: $schema=./keelson.schema.json

Exit codes: 0 written, 1 the configuration cannot be read, 2 wrong usage. A plugin that cannot be read is told and left
out: its key takes anything then.`,
  options: { ...configOptions, out: { type: 'string', short: 'o' } },
  async run(options, _positionals, terminal) {
    const given = kernelOptions(options, terminal);
    const plan = (environment?: string) =>
      Kernel.plan({ ...given, variables: {}, ...(environment !== undefined && { environment }) });
    const base = await plan();
    const plans = [base, ...(await Promise.all(base.config.environments.map(plan)))];
    refuseUnreadable(plans);
    for (const problem of problemsOf(plans)) {
      if (problem.code.startsWith('PLUGIN_')) terminal.err(`left out: ${formatProblem(problem)}`);
    }
    const text = JSON.stringify(serviceSchema(plans.flatMap(plan => plan.plugins)), undefined, 2);
    if (typeof options.out !== 'string') {
      terminal.out(text);
      return exitCodes.clean;
    }
    writeOutput(options.out, `${text}\n`);
    terminal.err(`Wrote ${options.out}.`);
    return exitCodes.clean;
  },
};
