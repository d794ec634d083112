import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageFile } from '../../plan/package-entry.js';

/** Checks the types of the sources beside the running service, by the TypeScript of the service itself. */
export class TypeCheck implements Disposable {
  readonly #directory: string;
  readonly #tsc: string | undefined;
  readonly #show: (text: string) => void;
  #running: ChildProcess | undefined;
  #hadErrors = false;

  /** `show` gets the errors, and one line when they are gone. */
  constructor(directory: string, show: (text: string) => void) {
    this.#directory = directory;
    this.#show = show;
    const file = existsSync(join(directory, 'tsconfig.json')) ? packageFile('typescript', directory) : undefined;
    this.#tsc = file && join(dirname(file), 'bin', 'tsc');
  }

  /** Checks again; a check that still runs is of an older state. */
  run(): void {
    this.#running?.kill();
    if (this.#tsc === undefined) return;
    const colour = process.stderr.isTTY === true ? ['--pretty'] : [];
    const child = spawn(process.execPath, [this.#tsc, '--noEmit', '-p', this.#directory, ...colour], {
      cwd: this.#directory,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#running = child;
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.once('error', () => undefined);
    child.once('close', code => {
      if (this.#running !== child || code === null) return;
      if (code !== 0) this.#show(`type errors:\n${said.trim()}`);
      else if (this.#hadErrors) this.#show('no type errors any more');
      this.#hadErrors = code !== 0;
    });
  }

  [Symbol.dispose](): void {
    const child = this.#running;
    this.#running = undefined;
    child?.kill();
  }
}
