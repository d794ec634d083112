import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { guard, release } from './guardian.js';
import { postgresEnvironment, postgresIdentity } from './postgres-binaries.js';

/**
 * Starts a server in the foreground, whose output goes to `logFile`; returns its process id. It runs as `nobody` when the
 * tests run as root, and ends with this process at the latest.
 */
export async function spawnServer(
  program: string,
  args: readonly string[],
  logFile: string,
  onExit: (pid: number) => void,
): Promise<number> {
  const log = openSync(logFile, 'a');
  const child = spawn(program, args, {
    ...postgresIdentity,
    cwd: '/',
    env: postgresEnvironment,
    stdio: ['ignore', log, log],
    // Not in our process group: a Ctrl-C in the terminal would stop it under the tests.
    detached: true,
  });
  closeSync(log);
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw await new Promise(resolve => child.once('error', resolve));
  guard(pid);
  child.once('exit', () => {
    release(pid);
    onExit(pid);
  });
  return pid;
}
