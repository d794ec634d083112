import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock, type Deadline, type Logger, type Metrics, silentMetrics, type Telemetry } from '@keelson/core';
import type { DatabaseDriver } from '../driver/driver.js';
import { UnsupportedError } from '../errors/session-errors.js';
import type { CommonDatabaseOptions } from '../options.js';
import type { ListeningStats } from './listen-options.js';
import type { Listening } from './listening.js';

export interface ListeningOnDemandParts {
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly metrics?: Metrics;
  readonly target: string;
  readonly options: Pick<CommonDatabaseOptions, 'listen' | 'connect'>;
  /** Runs work outside of every session. */
  readonly outside: <T>(work: () => T) => T;
}

/** The listening connection of a service. A service that does not listen loads none of its code. */
export class ListeningOnDemand {
  readonly #parts: ListeningOnDemandParts;
  /** In the context in which the service was made, which is that of no request. */
  readonly #outsideRequests = AsyncLocalStorage.snapshot();
  #loading: Promise<Listening> | undefined;
  #listening: Listening | undefined;

  constructor(parts: ListeningOnDemandParts) {
    this.#parts = parts;
  }

  /** One for all calls. */
  load(): Promise<Listening> {
    this.#loading ??= import('./listening.js').then(({ Listening }) => {
      const { driver, clock, logger, telemetry, metrics = silentMetrics, target, options, outside } = this.#parts;
      const open = driver.openListener;
      if (open === undefined) throw new UnsupportedError({ driver: driver.name, capability: 'listen' });
      const listening = new Listening({
        open,
        clock,
        logger,
        telemetry,
        metrics,
        target,
        options: options.listen,
        connectTimeoutMs: options.connect.timeoutMs,
        detached: work => this.#outsideRequests(() => outside(work)),
      });
      driver.onLost(() => listening.doubt());
      this.#listening = listening;
      return listening;
    });
    return this.#loading;
  }

  get isUsed(): boolean {
    return this.#listening !== undefined;
  }

  stats(): ListeningStats | undefined {
    return this.#listening?.stats();
  }

  /** False when handlers still run at the deadline. */
  async pause(deadline: Deadline): Promise<boolean> {
    return (await this.#listening?.pause(deadline)) ?? true;
  }

  resume(): void {
    this.#listening?.resume();
  }

  async close(deadline: Deadline): Promise<void> {
    await this.#listening?.close(deadline);
  }
}
