import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { formatProblem } from '../../config/problem.js';
import { Kernel } from '../../life/kernel.js';
import { installedPlugins } from '../../plan/installed-plugins.js';
import { serviceSchema } from '../../plan/service-schema.js';
import { sourceFile } from '../../plan/source-file.js';
import { defineCommand, exitCodes } from '../command.js';
import { configOptions, kernelOptions } from '../config-options.js';
import { runSources } from '../dev/run-sources.js';
import { problemsOf, refuseUnreadable } from '../output/refuse-unreadable.js';
import { writeOutput } from '../output/write-output.js';

export const schema = defineCommand({
  description: `Prints the JSON Schema of this service: the keys of every plugin that any of its environments chooses. Name it in
the first line of keelson.yaml:

  # yaml-language-server: $schema=./keelson.schema.json

When no configuration file fills a slot, the schema allows the keys of the installed plugins for this slot.

When a plugin cannot be read, the command prints its name, and the schema allows any value under its key.`,
  options: { out: { value: 'file', short: 'o', description: 'write the schema to a file' }, ...configOptions },
  printsData: true,
  exitCodes: { 0: 'written', 1: 'the configuration cannot be read' },
  examples: ['keelson schema --out keelson.schema.json'],
  async run({ options, terminal }) {
    const given = kernelOptions(options, terminal);
    const directory = dirname(resolve(given.config));
    const sources = process.features.typescript !== false;
    if (sources) runSources();
    // A service that is not built yet has a schema, too.
    const sourceOf = (file: string) => (sources && !existsSync(file) ? sourceFile(file, directory) : undefined);
    const plan = (environment?: string) =>
      Kernel.plan({ ...given, sourceOf, variables: {}, ...(environment !== undefined && { environment }) });
    const base = await plan();
    const plans = [base, ...(await Promise.all(base.config.environments.map(plan)))];
    refuseUnreadable(plans);
    for (const problem of problemsOf(plans)) {
      if (problem.code.startsWith('PLUGIN_')) terminal.err(`left out: ${formatProblem(problem)}`);
    }
    const plugins = plans.flatMap(plan => plan.plugins);
    const text = JSON.stringify(serviceSchema(plugins, await installedPlugins(base.directory)), undefined, 2);
    if (options.out === undefined) terminal.out(text);
    else {
      writeOutput(options.out, `${text}\n`);
      terminal.err(`Wrote ${options.out}.`);
    }
    return exitCodes.clean;
  },
});
