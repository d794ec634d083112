import { type ChildProcess, spawn } from 'node:child_process';
import { type Clock, type Facts, KeelsonError } from '@keelson/core';

export interface CommandRun {
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Where it runs. */
  readonly directory: string;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** A credential is small; more is the output of the wrong command. */
const mostBytes = 65_536;

/**
 * Runs a command, without a shell, with the environment of the service and no input. Resolves to what it prints.
 *
 * @throws KeelsonError `CREDENTIALS_COMMAND_FAILED` when it cannot be started, takes too long, prints too much, or ends
 * with another code than 0. The error holds nothing of what it has printed: a secret may be in its last words as well.
 */
export function outputOf({ command, timeoutMs, clock, directory, signal }: CommandRun): Promise<string> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const chunks: Buffer[] = [];
    const sizes = { stdoutBytes: 0, stderrBytes: 0 };
    const end = (settle: () => void) => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      killAll(child);
      settle();
    };
    const fail = (why: string, facts: Facts = {}) =>
      end(() => reject(commandFailed(program, why, { ...sizes, ...facts })));
    const onAbort = () => end(() => reject(signal.reason));
    const timer = clock.schedule(timeoutMs, () => fail(`did not end within ${timeoutMs} ms`, { timeoutMs }), {
      keepAlive: true,
    });
    child.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      sizes.stdoutBytes += chunk.length;
      if (sizes.stdoutBytes > mostBytes) fail(`printed more than ${mostBytes} bytes`);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      sizes.stderrBytes += chunk.length;
    });
    child.on('error', error => {
      const systemCode = String(Reflect.get(error, 'code'));
      fail(`could not be started (${systemCode})`, { systemCode });
    });
    child.on('close', (exitCode, killedBy) => {
      if (exitCode === 0) end(() => resolve(Buffer.concat(chunks).toString('utf8')));
      else if (exitCode === null) fail(`was ended by ${killedBy}`, { signal: killedBy });
      else fail(`ended with code ${exitCode}`, { exitCode });
    });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

/** With the processes that it has started: they would keep its output open. */
function killAll({ pid, exitCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

function commandFailed(program: string, why: string, facts: Facts): KeelsonError {
  return new KeelsonError({
    code: 'CREDENTIALS_COMMAND_FAILED',
    message: `The command that prints the credential ${why}: ${program}.`,
    hint: 'Run it manually as the user of the service: it prints the credential to stdout, and its errors to stderr.',
    facts: { program, ...facts },
  });
}
