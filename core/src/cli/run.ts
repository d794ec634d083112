import { parseArgs } from 'node:util';
import { nearest } from '../config/nearest.js';
import { formatError } from '../errors/format-error.js';
import { contractVersion } from '../plugin/contract-version.js';
import { type Command, exitCodes, type Options, type Terminal } from './command.js';

/** By name, in the order of the overview. Each is imported when it is needed: a quick one must not wait for the others. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./start.js')).start,
  status: async () => (await import('./status.js')).status,
  reload: async () => (await import('./reload.js')).reload,
  do: async () => (await import('./do.js')).doOperation,
  check: async () => (await import('./check.js')).check,
  explain: async () => (await import('./explain.js')).explain,
  graph: async () => (await import('./graph.js')).graph,
  doctor: async () => (await import('./doctor.js')).doctor,
  schema: async () => (await import('./schema.js')).schema,
  migrate: async () => (await import('./migrate.js')).migrate,
  verify: async () => (await import('./verify.js')).verify,
  new: async () => (await import('./new-plugin.js')).newPlugin,
};

/** Runs the command line `keelson <words>`; resolves to the exit code, and throws nothing. */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') return overview(terminal);
  if (name === '--version' || name === '-v') {
    terminal.out(contractVersion);
    return exitCodes.clean;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  return load === undefined ? unknownCommand(name, terminal) : runCommand(await load(), rest, terminal);
}

async function runCommand(command: Command, words: readonly string[], terminal: Terminal): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(command, words);
  } catch (error) {
    terminal.err(`${misread(error, command)}\n\n${usage(command)}`);
    return exitCodes.usage;
  }
  if (parsed.values.help === true) {
    terminal.out(`${usage(command)}\n\n${command.help}`);
    return exitCodes.clean;
  }
  try {
    return await command.run(parsed.values, parsed.positionals, terminal);
  } catch (error) {
    if (parsed.values.json === true) {
      const { failureToJson } = await import('./failure-to-json.js');
      terminal.out(JSON.stringify(failureToJson(error)));
    }
    terminal.err(formatError(error, { verbose: parsed.values.verbose === true }));
    return exitCodes.failed;
  }
}

function parse(command: Command, words: readonly string[]) {
  return parseArgs({
    args: [...words],
    options: { ...command.options, help: { type: 'boolean', short: 'h' } },
    allowPositionals: command.positionals === true,
  }) as { values: Options; positionals: string[] };
}

/** What the words could not be read as; of an unknown option, the one that was probably meant. */
function misread(error: unknown, { options }: Command): string {
  const message = error instanceof Error ? error.message : String(error);
  const unknown = /^Unknown option '--([^']+)'/.exec(message)?.[1];
  if (unknown === undefined) return message;
  const meant = nearest(unknown, [...Object.keys(options), 'help']);
  return `There is no option --${unknown}.${meant === undefined ? '' : ` Did you mean --${meant}?`}`;
}

function usage(command: Command): string {
  return `Usage: keelson ${command.name} ${command.usage}`;
}

async function overview(terminal: Terminal): Promise<number> {
  const loaded = await Promise.all(Object.values(commands).map(load => load()));
  const width = Math.max(...loaded.map(command => command.name.length));
  const list = loaded.map(command => `  ${command.name.padEnd(width)}  ${command.summary}`);
  terminal.out(
    ['Usage: keelson <command> [options]', '', ...list, '', 'keelson <command> --help says more about a command.'].join(
      '\n',
    ),
  );
  return exitCodes.clean;
}

async function unknownCommand(name: string, terminal: Terminal): Promise<number> {
  const meant = nearest(name, Object.keys(commands));
  terminal.err(`There is no command ${name}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`);
  await overview({ ...terminal, out: terminal.err });
  return exitCodes.usage;
}
