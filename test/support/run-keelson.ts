import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './temporary-folder.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface RunOptions {
  /** Where it runs. Default: the orders example. */
  readonly directory?: string;
  /** Beyond PATH, HOME and TMPDIR. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** Runs a command of `keelson` that ends by itself. */
export async function runKeelson(
  words: readonly string[],
  { directory = `${root}examples/orders`, variables }: RunOptions = {},
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [`${root}core/bin/keelson.js`, ...words], {
    cwd: directory,
    env: { PATH, HOME, ...temporaryFolder(), ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code: code as number | null, ...output };
}
