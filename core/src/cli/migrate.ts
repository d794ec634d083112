import { Kernel } from '../kernel/kernel.js';
import { slotNamed } from '../kernel/slots.js';
import type { ServiceToken } from '../token.js';
import { type Command, configOptions, exitCodes, kernelOptions, withoutLogger } from './command.js';

/** What this command needs of a database; the contract has it among others. */
interface Migrates {
  migrate(): Promise<readonly string[]>;
}

export const migrate: Command = {
  name: 'migrate',
  summary: 'apply the migrations that are not applied yet, and end',
  usage: '[--config keelson.yaml] [--environment <name>] [--json] [--verbose]',
  help: `Starts the databases of the configuration and nothing else, applies their migrations and stops. Safe when several
instances do it at once.

  keelson migrate --environment production`,
  options: configOptions,
  async run(options, _positionals, terminal) {
    await using kernel = await Kernel.start({
      ...kernelOptions(options, terminal),
      ...withoutLogger,
      onSlowStart: terminal.err,
      only: plugin => plugin.planned.manifest.slot === 'database',
    });
    const databases = kernel.plan.plugins.filter(plugin => plugin.manifest.slot === 'database');
    const applied: Record<string, readonly string[]> = {};
    for (const { key, instance } of databases) {
      const token = slotNamed('database')?.token as ServiceToken<Migrates>;
      const database = kernel.container.get(token, instance === undefined ? undefined : { name: instance });
      applied[key] = await database.migrate();
    }
    if (options.json === true) terminal.out(JSON.stringify(applied, undefined, 2));
    else for (const [key, names] of Object.entries(applied)) terminal.out(describe(key, names));
    if (databases.length === 0) terminal.err('No database is configured.');
    return exitCodes.clean;
  },
};

function describe(key: string, names: readonly string[]): string {
  return names.length === 0 ? `${key}: nothing left to apply` : `${key}: applied ${names.join(', ')}`;
}
