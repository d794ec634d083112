import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { KeptProgram } from '../../contract/plugin-context.js';
import { type ServiceProcessOptions, withCompileCache } from './service-process.js';

/** After this time a process that does not end is ended, in milliseconds. */
const endTimeoutMs = 10_000;

/** Processes of plugins that outlive the restarts of the service. Each ends when this process does, in whatever way. */
export class KeptProcesses {
  readonly #variables: ServiceProcessOptions['variables'];
  readonly #running = new Map<string, KeptProcess>();
  readonly #used = new Set<string>();

  constructor(variables: ServiceProcessOptions['variables']) {
    this.#variables = variables;
  }

  /** @throws Error when the process has ended before it reported its address. */
  start(program: KeptProgram): Promise<string> {
    const key = JSON.stringify([program.file.href, ...program.words]);
    this.#used.add(key);
    const running = this.#running.get(key);
    if (running !== undefined && !running.isEnding) return running.address;
    // Two at a time would be in each other's way.
    if (running !== undefined) return running.ended.then(() => this.start(program));
    const started = new KeptProcess(program, this.#variables);
    this.#running.set(key, started);
    void started.ended.then(() => {
      if (this.#running.get(key) === started) this.#running.delete(key);
    });
    return started.address;
  }

  /** From now on, counts what a start asks for. */
  startRound(): void {
    this.#used.clear();
  }

  /** Ends those that were not asked for in this round. */
  endUnused(): void {
    for (const [key, running] of this.#running) if (!this.#used.has(key)) void running.end();
  }

  /** Resolves when all have ended in order, or with force when they do not in time. */
  async end(): Promise<void> {
    await Promise.all([...this.#running.values()].map(running => running.end()));
  }
}

class KeptProcess {
  readonly address: Promise<string>;
  readonly ended: Promise<void>;
  isEnding = false;
  readonly #child: ChildProcess;

  constructor({ file, words }: KeptProgram, variables: ServiceProcessOptions['variables']) {
    const address = Promise.withResolvers<string>();
    const ended = Promise.withResolvers<void>();
    this.address = address.promise;
    this.ended = ended.promise;
    this.#child = fork(fileURLToPath(file), words, {
      env: withCompileCache(variables),
      execArgv: ['--disable-warning=ExperimentalWarning'],
      // Ctrl-C reaches `keelson dev` alone, and this process must end after the service.
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.once('message', message => address.resolve(String(message)));
    const fail = (reason: string) => {
      address.reject(new Error(`${fileURLToPath(file)} could not run: ${reason}`));
      ended.resolve();
    };
    this.#child.once('error', error => fail(error.message));
    this.#child.once('exit', code => fail(`it ended with code ${code}`));
    // Ended while no start waits for its address.
    this.address.catch(() => undefined);
  }

  async end(): Promise<void> {
    this.isEnding = true;
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), endTimeoutMs);
    await this.ended;
    clearTimeout(timer);
  }
}
