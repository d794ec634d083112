import { isPath } from '../../plan/package-entry.js';
import { differences } from './development-plan.js';
import { KeptProcesses } from './kept-processes.js';
import { ServiceProcess, type ServiceProcessOptions } from './service-process.js';

export interface DevLoopOptions
  extends Pick<ServiceProcessOptions, 'config' | 'directory' | 'fromSources' | 'words' | 'variables'> {
  show(text: string): void;
}

/** Runs the service, and runs it again after each change. A service that fails waits for the next change. */
export class DevLoop {
  readonly #options: DevLoopOptions;
  #service: ServiceProcess | undefined;
  /** The next process, with the packages loaded; it waits for the next change. */
  #spare: ServiceProcess | undefined;
  #values: Readonly<Record<string, string>> | undefined;
  #wanted = false;
  #turning: Promise<void> | undefined;
  #askedAt = 0;
  #starts = 0;
  #closed = false;
  readonly #kept: KeptProcesses;
  /** Whether the kept processes run what is no longer installed. */
  #renewKept = false;

  constructor(options: DevLoopOptions) {
    this.#options = options;
    this.#kept = new KeptProcesses(options.variables);
  }

  /** Starts the service, or stops the running one and starts it again. Changes meanwhile share one start. */
  restart(changed: readonly string[] = []): void {
    if (changed.length > 0) this.#options.show(`changed: ${shortened(changed)}`);
    if (changed.some(path => ofProcess.test(path))) this.#dropSpare();
    if (changed.some(path => ofInstallation.test(path))) this.#renewKept = true;
    this.#askedAt = performance.now();
    this.#wanted = true;
    this.#turning ??= this.#turn().finally(() => {
      this.#turning = undefined;
    });
  }

  /** Stops the service in order, and then what outlives its restarts. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turning;
    this.#dropSpare();
    await this.#service?.stop();
    await this.#kept.end();
  }

  /** Ends the service at once. */
  kill(): void {
    this.#closed = true;
    this.#dropSpare();
    this.#service?.kill();
  }

  async #turn(): Promise<void> {
    while (this.#wanted && !this.#closed) {
      this.#wanted = false;
      await this.#service?.stop();
      if (this.#wanted || this.#closed) continue;
      if (this.#renewKept) await this.#kept.end();
      this.#renewKept = false;
      this.#kept.startRound();
      this.#service = this.#start();
    }
  }

  #start(): ServiceProcess {
    const service = this.#spare ?? this.#spawn();
    this.#spare = undefined;
    this.#starts += 1;
    service.start();
    return service;
  }

  #spawn(): ServiceProcess {
    const { show, ...options } = this.#options;
    const service: ServiceProcess = new ServiceProcess({
      ...options,
      onPlanned: values => {
        for (const line of this.#values === undefined ? [] : differences(this.#values, values)) show(line);
        this.#values = values;
      },
      onReady: () => {
        const tookMs = Math.round(performance.now() - this.#askedAt);
        show(this.#starts === 1 ? `ready in ${tookMs} ms; waits for changes` : `restarted, ready in ${tookMs} ms`);
        this.#kept.endUnused();
        this.#prepareSpare();
      },
      onKeep: program => this.#kept.start(program),
      onEnded: (code, asked) => {
        if (this.#spare === service) this.#spare = undefined;
        if (this.#service !== service) return;
        this.#service = undefined;
        if (!asked && !this.#closed) show(`the service ended with code ${code ?? 'none'}; waits for the next change`);
      },
    });
    return service;
  }

  #prepareSpare(): void {
    if (this.#closed || this.#wanted || this.#spare !== undefined) return;
    const values = this.#values ?? {};
    // A telemetry must be loaded before the packages that it hooks.
    if (values['telemetry.use'] !== undefined) return;
    this.#spare = this.#spawn();
    const uses = Object.entries(values).flatMap(([path, use]) => (path.endsWith('.use') ? [use] : []));
    this.#spare.prepare(uses.filter(use => !isPath(use)));
  }

  #dropSpare(): void {
    this.#spare?.kill();
    this.#spare = undefined;
  }
}

/** What a process has read when it is spawned: its variables, and the packages, also those of the workspace. */
const ofProcess = /^\.env$|^\.\.\/|(^|\/)package(-lock)?\.json$/;
const ofInstallation = /^\.env$|(^|\/)package(-lock)?\.json$/;

const mostShown = 5;

function shortened(paths: readonly string[]): string {
  const more = paths.length - mostShown;
  return paths.slice(0, mostShown).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
