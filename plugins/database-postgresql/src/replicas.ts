import type { Clock, Deadline, Logger, Timer } from '@keelson/core';
import {
  type AcquireOptions,
  type DriverConnection,
  type LastingNames,
  sqlStateOf,
  systemCodeOf,
} from '@keelson/database';
import { CaughtUpConnection } from './caught-up-connection.js';
import type { ConfiguredLogins } from './configured-logins.js';
import { hostListOf } from './host-list.js';
import type { PostgresqlOptions } from './options.js';
import { Replica, type ReplicaState } from './replica.js';
import { walPositionIn } from './wal-position.js';

export interface ReplicasParts {
  readonly options: PostgresqlOptions;
  readonly logins: ConfiguredLogins;
  readonly names: LastingNames;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Transactions that say nothing else are READ COMMITTED. */
  readonly isReadCommitted: () => boolean;
  readonly onOpened?: ((durationMs: number) => void) | undefined;
}

/** The replicas that reads may go to. Asks in the background how each is; never while somebody waits. */
export class Replicas {
  readonly #parts: ReplicasParts;
  readonly #replicas: readonly Replica[];
  readonly #timers = new Map<Replica, Timer>();
  #turn = 0;
  #state: 'not watching' | 'watching' | 'closed' = 'not watching';

  constructor(parts: ReplicasParts) {
    const { options, logins, names, clock, logger, onOpened } = parts;
    const { urls, maxLagMs, pool = options.pool } = options.replicas;
    this.#parts = parts;
    this.#replicas = urls.flatMap(hostsOf).map(
      (url, index) =>
        new Replica({
          servers: { urls: [url], target: 'any' },
          login: logins.sourceOf(now => now.replicas.urls.flatMap(hostsOf)[index] ?? url),
          options,
          names,
          pool,
          maxLagMs,
          clock,
          logger,
          onOpened,
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

  /**
   * A connection to the least busy of those that are fit; undefined when none of them gives one. One that is to be waited for
   * hands over to `primary` when the wait is over.
   */
  async acquire(
    options: AcquireOptions,
    primary: () => Promise<DriverConnection>,
  ): Promise<DriverConnection | undefined> {
    if (options.after === undefined) return this.#acquire(options);
    const after = walPositionIn(options.after);
    const replica = after && (await this.#acquire(options));
    if (after === undefined || replica === undefined) return undefined;
    const { clock, logger, isReadCommitted } = this.#parts;
    const { catchUpMs } = this.#parts.options.replicas;
    return new CaughtUpConnection(replica, {
      after,
      catchUpMs,
      clock,
      primary,
      deadline: options.deadline,
      signal: options.signal,
      isReadCommitted: isReadCommitted(),
      onBehind: () => logger.debug('the primary answers for a replica that is behind', { waitedMs: catchUpMs }),
    });
  }

  async #acquire(options: AcquireOptions): Promise<DriverConnection | undefined> {
    const { maxLagMs } = options;
    const inOrder = maxLagMs === undefined ? this.#inOrder() : await this.#within(maxLagMs, options.signal);
    for (const replica of inOrder) {
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

  /** Those that are known to be no further behind. When none is, all are asked, and waited for in bounded time. */
  async #within(maxLagMs: number, signal: AbortSignal | undefined): Promise<readonly Replica[]> {
    const current = () => this.#inOrder().filter(replica => replica.isWithin(maxLagMs));
    const known = current();
    if (known.length > 0) return known;
    const { clock, options } = this.#parts;
    const checks = Promise.all(this.#inOrder().map(replica => replica.check()));
    await Promise.race([checks, clock.sleep(options.replicas.catchUpMs, signal).catch(() => {})]);
    return current();
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
