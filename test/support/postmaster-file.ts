// Imported by guardian-process.ts, which Node runs as it stands: nothing here may need a build.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandOf } from './processes.ts';

/** What PostgreSQL writes about itself into its data directory. It stays there after a kill -9. */
export interface PostmasterFile {
  readonly pid: number;
  /** The id of its segment of shared memory. */
  readonly sharedMemory: string | undefined;
  /** `starting`, `ready`, `standby`, `stopping` */
  readonly status: string | undefined;
}

/** Undefined while no server owns the data directory. */
export function postmasterFile(dataDirectory: string): PostmasterFile | undefined {
  try {
    const lines = readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n');
    return { pid: Number(lines[0]), sharedMemory: lines[6]?.trim().split(/\s+/)[1], status: lines[7]?.trim() };
  } catch {
    return undefined;
  }
}

/** The process id of the server that runs in `dataDirectory`, started by any process. */
export function postmasterIn(dataDirectory: string): number | undefined {
  const pid = postmasterFile(dataDirectory)?.pid;
  // After a kill -9 another process may have got the id.
  return pid !== undefined && commandOf(pid).includes(dataDirectory) ? pid : undefined;
}

/** A postmaster that was killed could not give back the small segment that guards its data directory. */
export async function removeSharedMemory(dataDirectory: string): Promise<void> {
  const segment = postmasterFile(dataDirectory)?.sharedMemory;
  if (segment === undefined) return;
  await new Promise(resolve => execFile('ipcrm', ['-m', segment], resolve));
}
