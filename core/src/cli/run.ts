import { parseArgs } from 'node:util';
import { nearest } from '../config/nearest.js';
import { formatError } from '../errors/format-error.js';
import { contractVersion } from '../plugin/contract-version.js';
import { check } from './check.js';
import { type Command, exitCodes, type Options, type Terminal } from './command.js';
import { doctor } from './doctor.js';
import { explain } from './explain.js';
import { graph } from './graph.js';
import { migrate } from './migrate.js';
import { newPlugin } from './new-plugin.js';
import { schema } from './schema.js';
import { start } from './start.js';
import { verify } from './verify.js';

export const commands: readonly Command[] = [start, check, explain, graph, doctor, schema, migrate, verify, newPlugin];

/** Runs the command line `keelson <words>`; resolves to the exit code, and throws nothing. */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') return overview(terminal);
  if (name === '--version' || name === '-v') {
    terminal.out(contractVersion);
    return exitCodes.clean;
  }
  const command = commands.find(each => each.name === name);
  return command === undefined ? unknownCommand(name, terminal) : runCommand(command, rest, terminal);
}

async function runCommand(command: Command, words: readonly string[], terminal: Terminal): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(command, words);
  } catch (error) {
    terminal.err(`${error instanceof Error ? error.message : String(error)}\n\n${usage(command)}`);
    return exitCodes.usage;
  }
  if (parsed.values.help === true) {
    terminal.out(`${usage(command)}\n\n${command.help}`);
    return exitCodes.clean;
  }
  try {
    return await command.run(parsed.values, parsed.positionals, terminal);
  } catch (error) {
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

function usage(command: Command): string {
  return `Usage: keelson ${command.name} ${command.usage}`;
}

function overview(terminal: Terminal): number {
  const width = Math.max(...commands.map(command => command.name.length));
  const list = commands.map(command => `  ${command.name.padEnd(width)}  ${command.summary}`);
  terminal.out(
    ['Usage: keelson <command> [options]', '', ...list, '', 'keelson <command> --help says more about a command.'].join(
      '\n',
    ),
  );
  return exitCodes.clean;
}

function unknownCommand(name: string, terminal: Terminal): number {
  const meant = nearest(
    name,
    commands.map(command => command.name),
  );
  terminal.err(`There is no command ${name}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`);
  overview({ ...terminal, out: terminal.err });
  return exitCodes.usage;
}
