import { Logger } from '../../contract/slots/logger.js';
import { Telemetry } from '../../contract/slots/telemetry.js';
import type { Kernel } from '../../life/kernel.js';
import { formatError } from '../../secrets/format-error.js';
import { exitCodes, type Terminal } from '../command.js';
import { signalsOf } from './signals.js';

const { stop: stopSignals, reload: reloadSignals } = signalsOf(process.platform);
/**
 * A terminal sends Ctrl-C to npm and to the service, and npm passes its own on: what comes again within this time is
 * the same request. No person presses it twice as fast.
 */
const sameRequestMs = 100;
/** A signal while the last lines are written must not change how the process ends. */
const tooLate = () => {};
const crashes = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Handles the signals of the process: the first requests a stop (and cancels a start), the second ends the process
 * with exit code 3. SIGHUP reads the configuration again, but on Windows. An uncaught error is reported and requests a stop too.
 */
export class ProcessWatch {
  readonly #terminal: Terminal;
  readonly #cancel = new AbortController();
  readonly #stop = Promise.withResolvers<string>();
  /** Aborts at the first request to stop. */
  readonly signal: AbortSignal = this.#cancel.signal;
  /** Resolves with the reason of the first request to stop. */
  readonly stopRequested: Promise<string> = this.#stop.promise;
  /** An idle service must not end because nothing keeps its process alive. */
  readonly #pulse = setInterval(() => {}, 2 ** 30);
  #kernel: Kernel | undefined;
  #askedAt: number | undefined;
  #crashed = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    for (const signal of stopSignals) process.on(signal, this.#onSignal);
    for (const crash of crashes) process.on(crash, this.#onCrash);
    for (const signal of reloadSignals) process.on(signal, this.#onReload);
  }

  /** Whether an uncaught error requested the stop. */
  get crashed(): boolean {
    return this.#crashed;
  }

  /** Reports errors to the logger and the telemetry of `kernel` from now on. */
  serve(kernel: Kernel): void {
    this.#kernel = kernel;
  }

  end(): void {
    clearInterval(this.#pulse);
    for (const signal of [...stopSignals, ...reloadSignals]) process.on(signal, tooLate);
    for (const signal of stopSignals) process.off(signal, this.#onSignal);
    for (const crash of crashes) process.off(crash, this.#onCrash);
    for (const signal of reloadSignals) process.off(signal, this.#onReload);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#askedAt !== undefined) {
      if (performance.now() - this.#askedAt < sameRequestMs) return;
      this.#terminal.err(`${signal} again: ending now, without waiting for the plugins that are still stopping.`);
      process.exit(exitCodes.forced);
    }
    this.#request(signal);
  };

  readonly #onReload = async (): Promise<void> => {
    try {
      const report = await this.#kernel?.reload();
      if (report === undefined) return;
      const { formatReload } = await import('../../life/reload.js');
      this.#terminal.err(formatReload(report));
    } catch (error) {
      this.#terminal.err(formatError(error));
    }
  };

  readonly #onCrash = (error: unknown): void => {
    this.#crashed = true;
    this.#terminal.err(`An uncaught error stops the service.\n${formatError(error, { verbose: true })}`);
    const { container } = this.#kernel ?? {};
    if (container?.isBound(Telemetry)) container.get(Telemetry).captureError(error, { operation: 'process' });
    if (container?.isBound(Logger)) container.get(Logger).fatal('service stopped by an uncaught error', { error });
    this.#request('an uncaught error');
  };

  #request(reason: string): void {
    if (stopSignals.some(signal => signal === reason)) this.#askedAt ??= performance.now();
    this.#cancel.abort(reason);
    this.#stop.resolve(reason);
  }
}
