import { readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { Kernel } from '../kernel/kernel.js';
import { serviceSchema } from '../kernel/service-schema.js';
import { type Command, configOptions, exitCodes, kernelOptions } from './command.js';

export const schema: Command = {
  name: 'schema',
  summary: 'write the JSON Schema of the configuration, so that an editor completes and checks it',
  usage: '[--config keelson.yaml] [--out keelson.schema.json]',
  help: `Prints the JSON Schema of this service: the keys of every plugin that any of its environments chooses. Name it in
the first line of keelson.yaml:

  keelson schema --out keelson.schema.json
  # yaml-language-server: $schema=./keelson.schema.json`,
  options: { ...configOptions, out: { type: 'string', short: 'o' } },
  async run(options, _positionals, terminal) {
    const given = kernelOptions(options, terminal);
    const environments = [undefined, ...environmentsOf(given.config)];
    const plans = await Promise.all(
      environments.map(environment =>
        Kernel.plan({ ...given, variables: {}, ...(environment !== undefined && { environment }) }),
      ),
    );
    const text = JSON.stringify(serviceSchema(plans.flatMap(plan => plan.plugins)), undefined, 2);
    if (typeof options.out !== 'string') {
      terminal.out(text);
      return exitCodes.clean;
    }
    writeFileSync(options.out, `${text}\n`);
    terminal.err(`Wrote ${options.out}.`);
    return exitCodes.clean;
  },
};

/** `production` for each `keelson.production.yaml` beside `keelson.yaml`. */
function environmentsOf(config: string): string[] {
  const file = resolve(config);
  const extension = extname(file);
  const stem = `${basename(file, extension)}.`;
  try {
    return readdirSync(dirname(file))
      .filter(name => name.startsWith(stem) && name.endsWith(extension) && name.length > stem.length + extension.length)
      .map(name => name.slice(stem.length, -extension.length));
  } catch {
    return [];
  }
}
