import { type MigrateCommand, MigrateCommands } from '../../contract/slots/migrate-commands.js';
import { Kernel } from '../../life/kernel.js';
import { defineCommand, exitCodes, printJson, refuse } from '../command.js';
import { configOptions, kernelOptions, withoutLogger } from '../config-options.js';

export const migrate = defineCommand({
  description: `Starts only the databases of the configuration, runs the command and stops. Several instances may run it at once. up and status run on all databases; other commands need --database when more than one is configured.`,
  words: {
    command: { optional: true, description: 'up (default), down, status, create, or a command of the database plugin' },
    argument: { optional: true, multiple: true, description: 'the migration to go up to, or the name of a new one' },
  },
  options: {
    database: { value: 'key', short: 'd', description: 'run the command on this database alone' },
    ...configOptions,
  },
  exitCodes: { 0: 'done', 1: 'not done' },
  examples: [
    'keelson migrate --environment production',
    'keelson migrate up AddOrders              up to and including AddOrders',
    'keelson migrate down                      undoes the last one',
    'keelson migrate create AddOrders src/migrations',
  ],
  async run({ options, words: { command: word = 'up', argument: words }, terminal }) {
    await using kernel = await Kernel.start({
      ...kernelOptions(options, terminal),
      ...withoutLogger,
      onSlowStart: terminal.err,
      only: ({ planned }) => planned.manifest.slot === 'database' && chosen(planned.key, options.database),
    });
    const databases = kernel.plan.plugins.filter(
      ({ manifest, key }) => manifest.slot === 'database' && chosen(key, options.database),
    );
    refuseUnlessChosen(databases, word, options.database);
    const said: Record<string, unknown> = {};
    for (const { key, instance } of databases) {
      const lines: string[] = [];
      const known = kernel.container.get(MigrateCommands, instance === undefined ? undefined : { name: instance });
      const out = (line: string) => {
        lines.push(line);
        if (!options.json) terminal.out(`${key}: ${line}`);
      };
      said[key] = (await commandOf(known, word).run({ words, out })) ?? lines;
    }
    if (options.json) printJson(terminal, said);
    return exitCodes.clean;
  },
});

/** What may be done to all databases with one word. */
const severally = new Set(['up', 'status']);

function chosen(key: string, database: string | undefined): boolean {
  return database === undefined || key === database;
}

function commandOf(known: readonly MigrateCommand[], word: string): MigrateCommand {
  const command = known.find(({ name }) => name === word);
  if (command !== undefined) return command;
  const hint = `Use one of: ${known.map(({ name }) => name).join(', ')}.`;
  refuse(`keelson migrate does not know "${word}".`, hint, 'CLI_COMMAND_UNKNOWN', { word });
}

/** @throws KeelsonError CLI_DATABASE_UNKNOWN when there is none, or more than one for a command that runs on one. */
function refuseUnlessChosen(databases: readonly { readonly key: string }[], word: string, wanted?: string): void {
  const code = 'CLI_DATABASE_UNKNOWN';
  if (databases.length === 0) {
    const message = wanted === undefined ? 'No database is configured.' : `Database "${wanted}" is not configured.`;
    refuse(message, 'keelson explain shows the plugins of the service.', code);
  }
  if (databases.length === 1 || severally.has(word)) return;
  const keys = databases.map(({ key }) => key);
  const message = `keelson migrate ${word} works on one database, and the service has ${keys.length}.`;
  refuse(message, `Choose one with --database: ${keys.join(', ')}.`, code, { databases: keys });
}
