import type { Command } from './command.js';

const summaries = {
  start: 'start the service and run it until SIGTERM or Ctrl-C',
  dev: 'run the service for development, and restart it after each change',
  status: 'print the state of the running instances: readiness, pools, breakers',
  reload: 'make the running instances read their configuration again, and print what has changed',
  do: 'run an operation of a plugin in the running instances: hold a breaker open, release it',
  run: 'run a command of a plugin in a separate process: an import, a repair',
  check: 'print what a start would do, and everything that is wrong with the configuration',
  explain: 'print which values are in force, and where each comes from',
  graph: 'draw the plugins, what they need, and in which order they start',
  doctor: 'examine what the service depends on: connections, permissions, limits, clocks',
  schema: 'write the JSON Schema of the configuration, so that an editor completes and checks it',
  migrate: 'bring the tables of the databases up to date, or print which migrations are applied',
  verify: 'prove that a plugin keeps the contract and the promises of its slot',
  bundle: 'put the service and its plugins into one file, with esbuild',
  new: 'create the package of a new plugin that passes its checks as it is',
  completion: 'print a script that completes these commands in bash, zsh or fish',
};

type CommandName = keyof typeof summaries;

/** Each command is imported when it is called: a quick one does not wait for the others. */
const loaders: Readonly<Record<CommandName, () => Promise<Command>>> = {
  start: async () => (await import('./commands/start.js')).start,
  dev: async () => (await import('./commands/dev.js')).dev,
  status: async () => (await import('./commands/status.js')).status,
  reload: async () => (await import('./commands/reload.js')).reload,
  do: async () => (await import('./commands/do.js')).doOperation,
  run: async () => (await import('./commands/run.js')).runPluginCommand,
  check: async () => (await import('./commands/check.js')).check,
  explain: async () => (await import('./commands/explain.js')).explain,
  graph: async () => (await import('./commands/graph.js')).graph,
  doctor: async () => (await import('./commands/doctor.js')).doctor,
  schema: async () => (await import('./commands/schema.js')).schema,
  migrate: async () => (await import('./commands/migrate.js')).migrate,
  verify: async () => (await import('./commands/verify.js')).verify,
  bundle: async () => (await import('./commands/bundle.js')).bundle,
  new: async () => (await import('./commands/new.js')).newPlugin,
  completion: async () =>
    (await import('./commands/completion.js')).completionOf({ summaries: commandSummaries, load: loadCommand }),
};

/** One line for each command by its name, in the order of the overview. */
export const commandSummaries: Readonly<Record<string, string>> = summaries;

export function loadCommand(name: string): Promise<Command> | undefined {
  return isCommandName(name) ? loaders[name]() : undefined;
}

function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(loaders, name);
}
