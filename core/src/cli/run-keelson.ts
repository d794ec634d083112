import { nearest } from '../config/nearest.js';
import { contractVersion } from '../contract/contract-version.js';
import { isKeelsonError, KeelsonError } from '../contract/keelson-error.js';
import { maskText } from '../secrets/mask-text.js';
import { type Command, type CommonValues, exitCodes, type Terminal } from './command.js';
import { commandSummaries, loadCommand } from './commands.js';
import { fold } from './output/fold.js';
import { processTerminal } from './output/process-terminal.js';
import { parseCall } from './parse-call.js';

/** Errors of the command line itself. */
const usageErrors = new Set(['CLI_COMMAND_UNKNOWN', 'CLI_NAME_INVALID', 'CLI_USAGE_INVALID', 'CLI_VALUES_INVALID']);

/**
 * Runs the command line `keelson <words>` in this process, and resolves to its exit code. Throws nothing: errors are
 * printed. Secrets in what it prints are masked. `keelson start` resolves when the service has stopped, and listens to
 * the signals of the process meanwhile.
 */
export async function runKeelson(words: readonly string[], terminal: Terminal = processTerminal): Promise<number> {
  return run(words, {
    ...terminal,
    out: text => terminal.out(maskText(text)),
    err: text => terminal.err(maskText(text)),
    progress: text => terminal.progress?.(maskText(text)),
  });
}

async function run([name, ...rest]: readonly string[], terminal: Terminal): Promise<number> {
  if (name === 'help' && rest[0] !== undefined) return run([...rest, '--help'], terminal);
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    const { overview } = await import('./usage.js');
    terminal.out(overview());
    return exitCodes.clean;
  }
  if (name === '--version' || name === '-v') {
    terminal.out(contractVersion);
    return exitCodes.clean;
  }
  const loading = loadCommand(name);
  if (loading !== undefined) return runCommand(name, await loading, rest, terminal);
  const { overview } = await import('./usage.js');
  const code = await fail(unknownCommand(name), { json: rest.includes('--json'), verbose: false }, terminal);
  terminal.err(`\n${overview()}`);
  return code;
}

async function runCommand(name: string, command: Command, args: readonly string[], given: Terminal): Promise<number> {
  let asked = { json: args.includes('--json'), verbose: false };
  const terminal = folding(given, asked.json || command.printsData === true);
  try {
    const call = parseCall(name, command, args);
    asked = call.options;
    if (!call.options.help) return await command.run({ ...call, terminal });
    const { helpOf } = await import('./usage.js');
    terminal.out(helpOf(name, command));
    return exitCodes.clean;
  } catch (error) {
    const code = await fail(error, asked, terminal);
    if (isKeelsonError(error, 'CLI_USAGE_INVALID')) {
      const { usageOf } = await import('./usage.js');
      terminal.err(`\n${usageOf(name, command)}`);
    }
    return code;
  }
}

/** Breaks lines at the width of the terminal, but no data. */
function folding(terminal: Terminal, printsData: boolean): Terminal {
  const { out, err } = terminal.columns ?? {};
  return {
    ...terminal,
    out: text => terminal.out(out === undefined || printsData ? text : fold(text, out)),
    err: text => terminal.err(err === undefined ? text : fold(text, err)),
  };
}

type Asked = Pick<CommonValues, 'json' | 'verbose'>;

async function fail(error: unknown, asked: Asked, terminal: Terminal): Promise<number> {
  const { reportFailure } = await import('./output/report-failure.js');
  reportFailure(error, asked, terminal);
  return isKeelsonError(error) && usageErrors.has(error.code) ? exitCodes.usage : exitCodes.failed;
}

function unknownCommand(name: string): KeelsonError {
  const meant = nearest(name, Object.keys(commandSummaries));
  return new KeelsonError({
    code: 'CLI_COMMAND_UNKNOWN',
    message: `Command ${name} does not exist.${meant === undefined ? '' : ` Did you mean ${meant}?`}`,
    facts: { command: name },
  });
}
