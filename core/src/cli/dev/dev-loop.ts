import { differences } from './development-plan.js';
import { ServiceProcess, type ServiceProcessOptions } from './service-process.js';

export interface DevLoopOptions
  extends Pick<ServiceProcessOptions, 'config' | 'directory' | 'fromSources' | 'words' | 'variables'> {
  show(text: string): void;
}

/** Runs the service, and runs it again after each change. A service that fails waits for the next change. */
export class DevLoop {
  readonly #options: DevLoopOptions;
  #service: ServiceProcess | undefined;
  #values: Readonly<Record<string, string>> | undefined;
  #wanted = false;
  #turning: Promise<void> | undefined;
  #askedAt = 0;
  #starts = 0;
  #closed = false;

  constructor(options: DevLoopOptions) {
    this.#options = options;
  }

  /** Starts the service, or stops the running one and starts it again. Changes meanwhile share one start. */
  restart(changed: readonly string[] = []): void {
    if (changed.length > 0) this.#options.show(`changed: ${shortened(changed)}`);
    this.#askedAt = performance.now();
    this.#wanted = true;
    this.#turning ??= this.#turn().finally(() => {
      this.#turning = undefined;
    });
  }

  /** Stops the service in order. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turning;
    await this.#service?.stop();
  }

  /** Ends the service at once. */
  kill(): void {
    this.#closed = true;
    this.#service?.kill();
  }

  async #turn(): Promise<void> {
    while (this.#wanted && !this.#closed) {
      this.#wanted = false;
      await this.#service?.stop();
      if (this.#wanted || this.#closed) continue;
      this.#service = this.#start();
    }
  }

  #start(): ServiceProcess {
    const { show, ...options } = this.#options;
    this.#starts += 1;
    const service: ServiceProcess = new ServiceProcess({
      ...options,
      onPlanned: values => {
        for (const line of this.#values === undefined ? [] : differences(this.#values, values)) show(line);
        this.#values = values;
      },
      onReady: () => {
        const tookMs = Math.round(performance.now() - this.#askedAt);
        show(this.#starts === 1 ? `ready in ${tookMs} ms; waits for changes` : `restarted, ready in ${tookMs} ms`);
      },
      onEnded: (code, asked) => {
        if (this.#service === service) this.#service = undefined;
        if (!asked && !this.#closed) show(`the service ended with code ${code ?? 'none'}; waits for the next change`);
      },
    });
    return service;
  }
}

const mostShown = 5;

function shortened(paths: readonly string[]): string {
  const more = paths.length - mostShown;
  return paths.slice(0, mostShown).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
