import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KeptProgram } from '../../contract/plugin-context.js';
import { type Order, report } from './messages.js';

const main = fileURLToPath(new URL('./service-process-main.js', import.meta.url));

/** After this time a service that does not stop is ended, in milliseconds. */
const stopTimeoutMs = 5_000;

export interface ServiceProcessOptions {
  /** The path of the configuration. */
  readonly config: string;
  readonly directory: string;
  readonly fromSources: boolean;
  /** Further words for `keelson start`. */
  readonly words: readonly string[];
  readonly variables: Readonly<Record<string, string | undefined>>;
  onPlanned(values: Readonly<Record<string, string>>): void;
  onReady(): void;
  /** Resolves to the address of a process that outlives this one. */
  onKeep(program: KeptProgram): Promise<string>;
  /** Called once, when the process has ended; `asked` when `stop` has ended it. */
  onEnded(code: number | null, asked: boolean): void;
}

/** The variables, and a place for compiled modules: a next start need not compile them again. */
export function withCompileCache(variables: ServiceProcessOptions['variables']) {
  return { ...variables, NODE_COMPILE_CACHE: variables.NODE_COMPILE_CACHE ?? join(tmpdir(), 'node-compile-cache') };
}

/** A process that runs the service once, when it is told to start. */
export class ServiceProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #asked = false;
  #answered = Promise.resolve();

  constructor(options: ServiceProcessOptions) {
    const { config, directory, fromSources, words, variables } = options;
    const variablesFile = existsSync(join(directory, '.env')) ? ['--env-file=.env'] : [];
    const flags = ['--disable-warning=ExperimentalWarning', ...variablesFile];
    this.#child = spawn(process.execPath, [...flags, main, config, fromSources ? 'sources' : 'built', ...words], {
      cwd: directory,
      env: withCompileCache(variables),
      // Ctrl-C reaches `keelson dev` alone, which then stops the service once.
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    this.#child.on('message', message => {
      const { data } = report.safeParse(message);
      if (data?.is === 'planned') options.onPlanned(data.values);
      if (data?.is === 'ready') options.onReady();
      if (data?.is === 'keep') this.#keep(options.onKeep({ file: new URL(data.file), words: data.words }));
    });
    this.#child.once('error', () => undefined);
    this.#child.once('close', code => {
      resolve();
      options.onEnded(code, this.#asked);
    });
  }

  /** Loads the packages, so that a later start takes less time. */
  prepare(packages: readonly string[]): void {
    this.#send({ is: 'prepare', packages: [...packages] });
  }

  start(): void {
    this.#send({ is: 'start' });
  }

  /** Stops the service in order, or with force when it does not stop in time. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#asked = true;
    this.#send({ is: 'stop' });
    const timer = setTimeout(() => this.kill(), stopTimeoutMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Answers in the order of the questions, although a later process may be there first. */
  #keep(address: Promise<string>): void {
    const before = this.#answered;
    const answer = address.then(
      (found): Order => ({ is: 'kept', address: found }),
      (error: Error): Order => ({ is: 'kept', failure: error.message }),
    );
    this.#answered = before.then(async () => this.#send(await answer));
  }

  #send(order: Order): void {
    if (this.#child.connected) this.#child.send(order, () => undefined);
  }
}
