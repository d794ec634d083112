import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type ServiceFolder, serviceFolder } from '../life/service.fixture.js';

const bin = fileURLToPath(new URL('../../bin/keelson.js', import.meta.url));

export interface Run {
  readonly folder: ServiceFolder;
  readonly child: ChildProcess;
  /** Resolves when the output so far holds `text`. */
  until(text: string): Promise<void>;
  /** Runs another command in the same folder. */
  also(words: string[], variables?: Record<string, string>): Run;
  /** Resolves when the process has ended. */
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
}

/** Runs the command line in the folder of a service, as a process of its own; ended with the test at the latest. */
export function keelson(
  files: Record<string, string | object>,
  words: string[],
  variables: Record<string, string> = {},
  prepare: (folder: ServiceFolder) => void = () => undefined,
): Run {
  const folder = serviceFolder(files);
  prepare(folder);
  // Before the processes below are gone, as what is cleaned up last is cleaned up first.
  onTestFinished(() => folder[Symbol.dispose]());
  return run(folder, words, variables);
}

function run(folder: ServiceFolder, words: string[], variables: Record<string, string> = {}): Run {
  // A temporary folder of its own, so that it finds no running service of another test; not for what Node compiles.
  const own = { TMPDIR: folder.directory, NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') };
  const env = { PATH: process.env.PATH, ...own, ...variables };
  const child = spawn(process.execPath, [bin, ...words], { cwd: folder.directory, env });
  // Each wait adds listeners.
  for (const emitter of [child, child.stdout, child.stderr]) emitter.setMaxListeners(0);
  let out = '';
  let err = '';
  child.stdout.on('data', chunk => {
    out += chunk;
  });
  child.stderr.on('data', chunk => {
    err += chunk;
  });
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  const until = async (text: string) => {
    while (!out.includes(text) && !err.includes(text)) {
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before ${text}:\n${out}${err}`);
      await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), once(child, 'exit')]);
    }
  };
  return { folder, child, until, ended, also: (next, more) => run(folder, next, more) };
}
