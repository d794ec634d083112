import { KeelsonError } from '../contract/keelson-error.js';
import { type MigrateCommand, MigrateCommands } from '../contract/slots/migrate-commands.js';
import { Kernel } from '../life/kernel.js';
import { type Command, configOptions, exitCodes, kernelOptions, type Options, withoutLogger } from './command.js';

export const migrate: Command = {
  name: 'migrate',
  summary: 'bring the tables of the databases up to date, or look how they stand',
  usage: '[up | down | status | create] [--database <key>] [--config keelson.yaml] [--environment <name>] [--json]',
  help: `Starts the databases of the configuration and nothing else, does what the word says (\`up\` when there is none) and
stops. Safe when several instances do it at once. With more than one database, \`--database\` chooses.

  keelson migrate --environment production
  keelson migrate up AddOrders              up to and with the one named
  keelson migrate down                      takes the last one back
  keelson migrate status
  keelson migrate create AddOrders src/migrations

Exit codes: 0 done, 1 it was not, 2 wrong usage.`,
  options: { ...configOptions, database: { type: 'string', short: 'd' } },
  positionals: true,
  async run(options, [word = 'up', ...words], terminal) {
    await using kernel = await Kernel.start({
      ...kernelOptions(options, terminal),
      ...withoutLogger,
      onSlowStart: terminal.err,
      only: ({ planned }) => planned.manifest.slot === 'database' && chosen(planned.key, options.database),
    });
    const databases = kernel.plan.plugins.filter(
      ({ manifest, key }) => manifest.slot === 'database' && chosen(key, options.database),
    );
    if (databases.length === 0) throw noDatabase(options.database);
    if (databases.length > 1 && !severally.has(word)) throw manyDatabases(word, databases);
    const said: Record<string, unknown> = {};
    for (const { key, instance } of databases) {
      const lines: string[] = [];
      const known = kernel.container.get(MigrateCommands, instance === undefined ? undefined : { name: instance });
      const out = (line: string) => {
        lines.push(line);
        if (options.json !== true) terminal.out(`${key}: ${line}`);
      };
      said[key] = (await commandOf(known, word).run({ words, out })) ?? lines;
    }
    if (options.json === true) terminal.out(JSON.stringify(said, undefined, 2));
    return exitCodes.clean;
  },
};

/** What may be done to all databases with one word. */
const severally = new Set(['up', 'status']);

function chosen(key: string, database: Options[string]): boolean {
  return database === undefined || key === database;
}

function commandOf(known: readonly MigrateCommand[], word: string): MigrateCommand {
  const command = known.find(({ name }) => name === word);
  if (command !== undefined) return command;
  throw new KeelsonError({
    code: 'CLI_COMMAND_UNKNOWN',
    message: `keelson migrate does not know "${word}".`,
    hint: `It knows: ${known.map(({ name }) => name).join(', ')}.`,
    facts: { word },
  });
}

function noDatabase(database: Options[string]): KeelsonError {
  return new KeelsonError({
    code: 'CLI_DATABASE_UNKNOWN',
    message: database === undefined ? 'No database is configured.' : `There is no database "${database}".`,
    hint: 'keelson explain shows the plugins of the service.',
  });
}

function manyDatabases(word: string, databases: readonly { readonly key: string }[]): KeelsonError {
  const keys = databases.map(({ key }) => key);
  return new KeelsonError({
    code: 'CLI_DATABASE_UNKNOWN',
    message: `keelson migrate ${word} works on one database, and the service has ${keys.length}.`,
    hint: `Choose one with --database: ${keys.join(', ')}.`,
    facts: { databases: keys },
  });
}
