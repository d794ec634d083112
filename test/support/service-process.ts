import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { guard, release } from './guardian.js';
import { temporaryFolder } from './temporary-folder.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const keelson = `${root}core/bin/keelson.js`;

export type Variables = Readonly<Record<string, string>>;

export interface ServiceOptions {
  /** Whose service: a folder of `examples`. Default `orders`. */
  readonly example?: string;
  /** A folder with a `keelson.yaml` of the test's own, in place of an example. */
  readonly directory?: string;
  /** Beyond PATH, HOME and TMPDIR, and PORT=0 so that it takes any free port. */
  readonly variables?: Variables;
  /** Runs `npm start` with these words, at the root of the repository, instead of `keelson start` in the example. */
  readonly npmStart?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed when it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer
  readonly body: any;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that runs the command line of Keelson, and what it has said so far. */
export interface CliProcess extends AsyncDisposable {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ended: Promise<Ended>;
  readonly isRunning: boolean;
  kill(signal: NodeJS.Signals): void;
  /** What Ctrl-C in a terminal does: SIGINT to the process and to all it has started. */
  interrupt(): void;
}

/** A service that listens. Disposing of it stops it, with force when it does not stop by itself. */
export interface ServiceProcess extends CliProcess {
  readonly url: string;
  /** Sends one request; `body` as JSON. Rejects when there is no answer. */
  request(method: string, path: string, body?: unknown): Promise<Answer>;
  /** SIGTERM; resolves when the process has ended. */
  stop(): Promise<Ended>;
}

/** Runs the command line to its end. */
export async function runCli(options: ServiceOptions = {}): Promise<Ended & { stdout: string; stderr: string }> {
  await using cli = new RunningProcess(options);
  const ended = await cli.ended;
  return { ...ended, stdout: cli.stdout, stderr: cli.stderr };
}

/**
 * Starts a service and resolves once it has printed where it listens.
 *
 * @throws Error with what it printed, when it ends before.
 */
export async function startService(options: ServiceOptions = {}): Promise<ServiceProcess> {
  const service = new RunningProcess(options);
  await service.listening();
  return service;
}

export async function send(url: string, method: string, body?: unknown): Promise<Answer> {
  const isText = typeof body === 'string';
  const response = await fetch(url, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: isText ? body : JSON.stringify(body),
    }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

const listensOn = /listens on (http:\/\/[^\s,]+?)\.?\s/;
const stopWithinMs = 30_000;

class RunningProcess implements ServiceProcess {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  #url: string | undefined;

  constructor({ example = 'orders', directory, variables = {}, npmStart }: ServiceOptions) {
    const [program, words, cwd] =
      npmStart === undefined
        ? [process.execPath, [keelson, 'start'], directory ?? `${root}examples/${example}`]
        : ['npm', ['start', ...npmStart], root];
    const { PATH, HOME } = process.env;
    const child = spawn(program, words, {
      cwd,
      env: { PATH, HOME, ...temporaryFolder(), PORT: '0', ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, so that `interrupt` reaches all of it and no other process.
      detached: true,
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    const { pid } = child;
    if (pid === undefined) throw new Error(`${program} could not be started`);
    guard(pid);
    this.#child = child;
    this.pid = pid;
    this.ended = once(child, 'close').then(([code, signal]) => {
      release(pid);
      return { code, signal };
    });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get url(): string {
    if (this.#url === undefined) throw new Error('The service does not listen yet');
    return this.#url;
  }

  async listening(): Promise<void> {
    const end = this.ended.then(({ code }) => {
      throw new Error(`The service ended with ${code} before it listened:\n${this.stderr}${this.stdout}`);
    });
    end.catch(() => {});
    while (this.#url === undefined) {
      this.#url = listensOn.exec(this.stdout)?.[1];
      if (this.#url === undefined) await Promise.race([once(this.#child.stdout ?? this.#child, 'data'), end]);
    }
  }

  request(method: string, path: string, body?: unknown): Promise<Answer> {
    return send(this.url + path, method, body);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  interrupt(): void {
    process.kill(-this.pid, 'SIGINT');
  }

  stop(): Promise<Ended> {
    this.kill('SIGTERM');
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isRunning) return;
    const force = setTimeout(() => this.kill('SIGKILL'), stopWithinMs);
    await this.stop();
    clearTimeout(force);
  }
}
