import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

let orders: Writable | undefined;

/**
 * Makes sure that a process (by id, with its children) is stopped, or a directory (by path) removed, when this
 * process ends in whatever way, Ctrl-C and `kill -9` included. A PostgreSQL whose data is in `data` of such a directory is
 * stopped before.
 */
export function guard(what: number | string): void {
  orders ??= startGuardian();
  orders.write(`${JSON.stringify({ guard: what })}\n`);
}

/** Undoes `guard`: the process has ended, or the directory has been removed. */
export function release(what: number | string): void {
  orders?.write(`${JSON.stringify({ release: what })}\n`);
}

function startGuardian(): Writable {
  const script = fileURLToPath(new URL('./guardian-process.ts', import.meta.url));
  // Detached: in a process group of its own, so that a Ctrl-C in the terminal ends its parent, not the guardian.
  const guardian = spawn(process.execPath, [script], {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true,
    env: { ...process.env, NODE_OPTIONS: '', NODE_NO_WARNINGS: '1' },
  });
  guardian.unref();
  guardian.stdin.on('error', () => {});
  if ('unref' in guardian.stdin && typeof guardian.stdin.unref === 'function') guardian.stdin.unref();
  return guardian.stdin;
}
