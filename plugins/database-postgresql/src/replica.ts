import type { Clock } from '@keelson/core';
import {
  type AcquireOptions,
  type DriverConnection,
  type HostStats,
  isConnectionLoss,
  type PoolStats,
} from '@keelson/database';
import { Endpoint, type EndpointParts } from './endpoint.js';

/** `unknown` until it was asked; `lagging` more than allowed, or by an unknown time; `away` when it does not answer. */
export type ReplicaState =
  | { readonly is: 'unknown' }
  | { readonly is: 'fit'; readonly lagMs: number | undefined }
  | { readonly is: 'lagging'; readonly lagMs: number | undefined }
  | { readonly is: 'away'; readonly cause: unknown };

export interface ReplicaParts extends Omit<EndpointParts, 'onLost'> {
  /** `any`: its lag is not measured. */
  readonly maxLagMs: number | 'any';
  readonly onChange: (replica: Replica, before: ReplicaState) => void;
}

/** Longest wait for an answer to a question about lag. */
const checkTimeoutMs = 2_000;

/**
 * In milliseconds, or more than it is; 0 when nothing waits to be replayed. Without a receiver the end of what was
 * received says nothing, and before the first replay the lag is unknown.
 */
const lagSql = `select case
  when not pg_is_in_recovery() then 0
  when pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() and exists (select from pg_stat_wal_receiver) then 0
  else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000
end::float8::text as "lagMs"`;

/** One replica: its connections, and whether it may be read from now. */
export class Replica {
  readonly #endpoint: Endpoint;
  readonly #clock: Clock;
  readonly #maxLagMs: number | 'any';
  readonly #onChange: ReplicaParts['onChange'];
  #state: ReplicaState = { is: 'unknown' };
  /** It was up to date at this time, if not later. */
  #currentAt = Number.NEGATIVE_INFINITY;
  #onLost: () => void = () => {};

  constructor(parts: ReplicaParts) {
    this.#clock = parts.clock;
    this.#maxLagMs = parts.maxLagMs;
    this.#onChange = parts.onChange;
    this.#endpoint = new Endpoint({ ...parts, onLost: cause => this.#lost(cause) });
  }

  get host(): string {
    return this.#endpoint.hostName ?? '';
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** The smaller, the sooner it can serve one more. */
  get load(): number {
    const { busy, waiting } = this.#endpoint.stats();
    return busy + waiting;
  }

  /** Called when a connection to it was lost; then its state is checked again. */
  onLost(listener: () => void): void {
    this.#onLost = listener;
  }

  async acquire(options: AcquireOptions): Promise<DriverConnection> {
    try {
      return await this.#endpoint.acquire(options);
    } catch (error) {
      if (isConnectionLoss(error)) this.#lost(error);
      throw error;
    }
  }

  /** Asks how it is. Never rejects. */
  async check(): Promise<void> {
    const controller = new AbortController();
    const timeout = this.#clock.schedule(checkTimeoutMs, () => controller.abort(new Error('no answer in time')));
    try {
      const sql = this.#maxLagMs === 'any' ? 'select null as "lagMs"' : lagSql;
      const askedAt = this.#clock.now();
      const [result] = await this.#endpoint.ask([{ sql }], controller.signal);
      this.#move(this.#judge(result?.rows[0]?.lagMs, askedAt));
    } catch (cause) {
      this.#move({ is: 'away', cause });
    } finally {
      timeout.cancel();
    }
  }

  stats(): PoolStats {
    return this.#endpoint.stats();
  }

  describe(): HostStats {
    const lagMs = 'lagMs' in this.#state ? this.#state.lagMs : undefined;
    const { is: state } = this.#state;
    return { host: this.host, role: 'replica', state, ...(lagMs !== undefined && { lagMs }), pool: this.stats() };
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  /** After an hour without writes the first one looks an hour late to the server: what was known before counts too. */
  #judge(answer: unknown, now: number): ReplicaState {
    if (this.#maxLagMs === 'any') return { is: 'fit', lagMs: undefined };
    if (typeof answer === 'string') this.#currentAt = Math.max(this.#currentAt, now - Number(answer));
    const lagMs = Math.max(0, Math.round(now - this.#currentAt));
    return { is: lagMs <= this.#maxLagMs ? 'fit' : 'lagging', lagMs: Number.isFinite(lagMs) ? lagMs : undefined };
  }

  #lost(cause: unknown): void {
    this.#move({ is: 'away', cause });
    this.#onLost();
  }

  #move(to: ReplicaState): void {
    const before = this.#state;
    this.#state = to;
    // It may come back as a new copy of an earlier state.
    if (to.is === 'away') this.#currentAt = Number.NEGATIVE_INFINITY;
    if (to.is !== before.is) this.#onChange(this, before);
  }
}
