import { parseArgs } from 'node:util';
import { nearest } from '../config/nearest.js';
import { contractVersion } from '../contract/contract-version.js';
import { isKeelsonError, KeelsonError } from '../contract/keelson-error.js';
import { formatError } from '../secrets/format-error.js';
import { type Command, exitCodes, type Options, type Terminal, wrongUsage } from './command.js';
import { wrapText, wrapUsage } from './wrap.js';

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

/** Errors of who wrote the command line. */
const usageErrors = new Set(['CLI_COMMAND_UNKNOWN', 'CLI_NAME_INVALID', 'CLI_USAGE_INVALID', 'CLI_VALUES_INVALID']);

/** Runs the command line `keelson <words>`; resolves to the exit code, and throws nothing. */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = words;
  if (name === 'help' && rest[0] !== undefined) return run([...rest, '--help'], terminal);
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    terminal.out(await overview());
    return exitCodes.clean;
  }
  if (name === '--version' || name === '-v') {
    terminal.out(contractVersion);
    return exitCodes.clean;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load !== undefined) return runCommand(await load(), rest, terminal);
  const code = await fail(unknownCommand(name), { json: words.includes('--json') }, terminal);
  terminal.err(`\n${await overview()}`);
  return code;
}

async function runCommand(command: Command, words: readonly string[], terminal: Terminal): Promise<number> {
  let asked: Options = { json: words.includes('--json') };
  try {
    const { values, positionals } = parse(command, words);
    asked = values;
    if (values.help !== true) return await command.run(values, positionals, terminal);
    terminal.out(`${usage(command)}\n\n${wrapText(command.help)}`);
    return exitCodes.clean;
  } catch (error) {
    const code = await fail(error, asked, terminal);
    if (isKeelsonError(error, 'CLI_USAGE_INVALID')) terminal.err(`\n${usage(command)}`);
    return code;
  }
}

async function fail(error: unknown, { json, verbose }: Options, terminal: Terminal): Promise<number> {
  if (json === true) {
    const { failureToJson } = await import('./failure-to-json.js');
    terminal.out(JSON.stringify(failureToJson(error)));
  }
  terminal.err(formatError(error, { verbose: verbose === true }));
  return isKeelsonError(error) && usageErrors.has(error.code) ? exitCodes.usage : exitCodes.failed;
}

function parse(command: Command, words: readonly string[]): { values: Options; positionals: string[] } {
  try {
    return parseArgs({
      args: [...words],
      options: { ...command.options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: command.positionals === true,
    }) as { values: Options; positionals: string[] };
  } catch (error) {
    throw wrongUsage(misread(error, command));
  }
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
  return wrapUsage(`Usage: keelson ${command.name}`, command.usage);
}

async function overview(): Promise<string> {
  const loaded = await Promise.all(Object.values(commands).map(load => load()));
  const width = Math.max(...loaded.map(command => command.name.length));
  const list = loaded.map(command => `  ${command.name.padEnd(width)}  ${command.summary}`);
  const more = 'keelson <command> --help says more about a command, and what its exit codes mean.';
  return ['Usage: keelson <command> [options]', '', ...list, '', more].join('\n');
}

function unknownCommand(name: string): KeelsonError {
  const meant = nearest(name, Object.keys(commands));
  return new KeelsonError({
    code: 'CLI_COMMAND_UNKNOWN',
    message: `There is no command ${name}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`,
    facts: { command: name },
  });
}
