import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { guard, release } from './guardian.js';
import { temporaryFolder } from './temporary-folder.js';

/** What npm and Vitest have set for this run of the tests, and what would configure a service. */
const ofThisRun =
  /^(npm_(?!config_(registry|userconfig|cache)$)|vitest|force_color$|test$|node_(options|env)$|keelson_|port$|database_url$|log_level$)/i;

/** The variables of a person: certificates and proxies count. */
export function personalVariables(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !ofThisRun.test(name));
  return {
    ...Object.fromEntries(kept),
    NO_COLOR: '1',
    ...temporaryFolder(),
    NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
  };
}

export interface ObservedOptions {
  readonly directory: string;
  /** Beyond those of a person, and PORT=0. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** A process that serves HTTP, and what it has printed. */
export class ObservedProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #output = '';
  #seen = 0;

  constructor(program: string, words: readonly string[], { directory, variables = {} }: ObservedOptions) {
    const child = spawn(program, words, {
      cwd: directory,
      env: { ...personalVariables(), PORT: '0', ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, so that a signal reaches what npm has started.
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
    const { pid } = child;
    if (pid === undefined) throw new Error(`${program} could not be started`);
    guard(pid);
    this.#child = child;
    this.#ended = once(child, 'close').then(([code]) => {
      release(pid);
      return code;
    });
  }

  get output(): string {
    return this.#output;
  }

  /** The address that it printed last. */
  get url(): string {
    return [...this.#output.matchAll(/http:\/\/127\.0\.0\.1:\d+/g)].at(-1)?.[0] ?? '';
  }

  /** Resolves when what it has printed since the last call has `text`. */
  async until(text: RegExp): Promise<void> {
    const find = () => {
      const at = this.#output.slice(this.#seen).search(text);
      return (at >= 0 || !this.#isRunning) && { at };
    };
    const { at } = await eventually(find, { timeoutMs: 120_000, that: `${text} in its output` }).catch(error => {
      throw new Error(`It printed:\n${this.#output}`, { cause: error });
    });
    if (at < 0) throw new Error(`It ended, and printed:\n${this.#output}`);
    this.#seen += at + 1;
  }

  async request(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const response = await fetch(this.url + path, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, body: isJson ? JSON.parse(text) : text };
  }

  get #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ctrl-C in a terminal: to it, and with `all` to what it has started. Resolves to the exit code. */
  async interrupt({ all = false }: { readonly all?: boolean } = {}): Promise<number | null> {
    const { pid } = this.#child;
    if (this.#isRunning && pid !== undefined) process.kill(all ? -pid : pid, 'SIGINT');
    return this.#ended;
  }

  /** Ends it alone, without notice. Does not wait for what it has started. */
  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isRunning) await this.interrupt({ all: true });
  }
}
