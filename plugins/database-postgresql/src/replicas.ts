import type { Clock, Deadline, Logger, Timer } from '@keelson/core';
import { type AcquireOptions, type DriverConnection, sqlStateOf, systemCodeOf } from '@keelson/database';
import type { ConfiguredLogins } from './configured-logins.js';
import { hostListOf } from './host-list.js';
import type { PostgresqlOptions } from './options.js';
import { Replica, type ReplicaState } from './replica.js';

export interface ReplicasParts {
  readonly options: PostgresqlOptions;
  readonly logins: ConfiguredLogins;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The replicas that reads may go to. Asks in the background how each is; never while somebody waits. */
export class Replicas {
  readonly #parts: ReplicasParts;
  readonly #replicas: readonly Replica[];
  readonly #timers = new Map<Replica, Timer>();
  #turn = 0;
  #state: 'not watching' | 'watching' | 'closed' = 'not watching';

  constructor(parts: ReplicasParts) {
    const { options, logins, clock, logger } = parts;
    const { urls, maxLagMs, pool = options.pool } = options.replicas;
    this.#parts = parts;
    this.#replicas = urls.flatMap(hostsOf).map(
      (url, index) =>
        new Replica({
          servers: { urls: [url], target: 'any' },
          login: logins.sourceOf(now => now.replicas.urls.flatMap(hostsOf)[index] ?? url),
          options,
          pool,
          maxLagMs,
          clock,
          logger,
          onChange: replica => this.#tell(replica),
        }),
    );
    for (const replica of this.#replicas) replica.onLost(() => this.#checkIn(0, replica));
  }

  get all(): readonly Replica[] {
    return this.#replicas;
  }

  /** Begins to ask how they are; until the first answer none is fit. */
  watch(): void {
    if (this.#state !== 'not watching') return;
    this.#state = 'watching';
    for (const replica of this.#replicas) this.#checkIn(0, replica);
  }

  /** A connection to the least busy of those that are fit; undefined when none of them gives one. */
  async acquire(options: AcquireOptions): Promise<DriverConnection | undefined> {
    for (const replica of this.#inOrder()) {
      try {
        // The other half is for the next replica when this one does not answer.
        const deadline = options.deadline.within(options.deadline.remainingMs() / 2);
        return await replica.acquire({ ...options, deadline });
      } catch (error) {
        if (options.signal?.aborted === true || this.#state === 'closed') throw error;
      }
    }
    return undefined;
  }

  async close(deadline: Deadline): Promise<void> {
    this.#state = 'closed';
    for (const timer of this.#timers.values()) timer.cancel();
    await Promise.all(this.#replicas.map(({ endpoint }) => endpoint.close(deadline)));
  }

  /** Among equally busy ones, each time another is first. */
  #inOrder(): Replica[] {
    const fit = this.#replicas.filter(({ state }) => state.is === 'fit');
    this.#turn += 1;
    const turned = fit
      .map((_, index) => fit[(index + this.#turn) % fit.length])
      .filter(replica => replica !== undefined);
    return turned.sort((one, other) => one.load - other.load);
  }

  #checkIn(ms: number, replica: Replica): void {
    if (this.#state !== 'watching') return;
    this.#timers.get(replica)?.cancel();
    const timer = this.#parts.clock.schedule(ms, () => {
      void replica.check().then(() => {
        if (this.#timers.get(replica) === timer) this.#checkIn(this.#parts.options.replicas.checkIntervalMs, replica);
      });
    });
    this.#timers.set(replica, timer);
  }

  #tell(replica: Replica): void {
    const { logger } = this.#parts;
    const { host, state } = replica;
    if (state.is === 'fit') logger.info('replica usable', { host, ...factsOf(state) });
    else logger.warn(`replica ${state.is}`, { host, ...factsOf(state) });
  }
}

function hostsOf(url: string): readonly string[] {
  return hostListOf(url).urls;
}

function factsOf(state: ReplicaState): Record<string, unknown> {
  if (state.is === 'away') {
    return { sqlState: sqlStateOf(state.cause), systemCode: systemCodeOf(state.cause) };
  }
  return 'lagMs' in state ? { lagMs: state.lagMs } : {};
}
