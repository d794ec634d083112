import type { Clock, Deadline, Logger, Metrics, Telemetry } from '@keelson/core';
import type { DatabaseDriver } from '../driver/driver.js';
import { DatabaseClosedError } from '../errors/connection-error.js';
import { ListenFailedError } from '../errors/listening-errors.js';
import { judge } from '../retry/failure-verdict.js';
import { assertChannel } from './channel-name.js';
import { ChannelSubscription } from './channel-subscription.js';
import type {
  ChannelHandler,
  ListeningStats,
  ListenOptions,
  ListenSchemaOptions,
  Subscription,
} from './listen-options.js';
import { ListeningConnection } from './listening-connection.js';
import { ListeningMetrics } from './listening-metrics.js';

export interface ListeningParts {
  readonly open: NonNullable<DatabaseDriver['openListener']>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly metrics: Metrics;
  /** What metrics call the database. */
  readonly target: string;
  readonly options: { readonly checkIntervalMs: number; readonly checkTimeoutMs: number; readonly maxQueued: number };
  readonly connectTimeoutMs: number;
  /** Runs work outside of every session and of the request that happened to listen first. */
  readonly detached: <T>(work: () => T) => T;
}

/** One wait for the server to confirm. */
interface Waiter {
  readonly subscription: ChannelSubscription;
  readonly confirmed: PromiseWithResolvers<void>;
}

interface Channel {
  readonly subscriptions: Set<ChannelSubscription>;
  isConfirmed: boolean;
}

/** The subscriptions of one service, over one connection that is open while there are any. */
export class Listening {
  readonly #parts: ListeningParts;
  readonly #connection: ListeningConnection;
  readonly #metrics: ListeningMetrics;
  readonly #channels = new Map<string, Channel>();
  readonly #waiters = new Set<Waiter>();
  #state: 'open' | 'paused' | 'closed' = 'open';

  constructor(parts: ListeningParts) {
    const { options, clock, logger, metrics, target } = parts;
    this.#parts = parts;
    this.#metrics = new ListeningMetrics(metrics, target, () => this.stats());
    this.#connection = new ListeningConnection({
      ...options,
      clock,
      logger,
      telemetry: parts.telemetry,
      open: parts.open,
      channels: () => [...this.#channels.keys()],
      onMessage: ({ channel, payload }) => this.#deliver(channel, payload),
      onConfirmed: channels => this.#confirmed(channels),
      onLost: () => {
        for (const channel of this.#channels.values()) channel.isConfirmed = false;
      },
      onFailed: cause => this.#failed(cause),
    });
  }

  async listen(
    channel: string,
    handler: ChannelHandler<unknown>,
    options: ListenOptions & Partial<ListenSchemaOptions<unknown>>,
  ): Promise<Subscription> {
    assertChannel(channel);
    options.signal?.throwIfAborted();
    if (this.#state === 'closed') throw new DatabaseClosedError();
    const subscription = this.#subscribe(channel, handler, options);
    try {
      await this.#whenConfirmed(subscription, options);
      return subscription;
    } catch (error) {
      void subscription.close();
      throw error;
    }
  }

  stats(): ListeningStats {
    const state = this.#connection.state;
    const subscriptions = [...this.#subscriptions()];
    return {
      state: state.is,
      since: state.since,
      ...(state.is === 'connecting' && state.cause !== undefined && { cause: state.cause }),
      channels: this.#channels.size,
      subscriptions: subscriptions.length,
      queued: subscriptions.reduce((sum, { queued }) => sum + queued, 0),
      counters: this.#metrics.counters,
    };
  }

  /** Something speaks against the server. */
  doubt(): void {
    this.#connection.doubt();
  }

  /** Delivers nothing more. True when all handlers have returned by `deadline`. */
  async pause(deadline: Deadline): Promise<boolean> {
    if (this.#state === 'open') this.#state = 'paused';
    return this.#settled(
      [...this.#subscriptions()].map(subscription => subscription.pause()),
      deadline,
    );
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'open';
    this.#parts.detached(() => {
      for (const subscription of this.#subscriptions()) subscription.resume();
    });
  }

  /** Final. Resolves when all handlers have returned, or at `deadline`. Never rejects. */
  async close(deadline: Deadline): Promise<void> {
    this.#state = 'closed';
    for (const { confirmed } of this.#waiters) confirmed.reject(new DatabaseClosedError());
    await this.#settled(
      [...this.#subscriptions()].map(subscription => subscription.close()),
      deadline,
    );
    this.#connection.stop();
    this.#metrics.close();
  }

  #subscribe(
    channel: string,
    handler: ChannelHandler<unknown>,
    { maxQueued, schema, onInvalid, signal }: ListenOptions & Partial<ListenSchemaOptions<unknown>>,
  ): ChannelSubscription {
    const { logger, telemetry, detached, options } = this.#parts;
    const onAbort = () => void subscription.close();
    const subscription = new ChannelSubscription({
      channel,
      handler,
      schema,
      onInvalid,
      maxQueued: maxQueued ?? options.maxQueued,
      logger,
      telemetry,
      notes: this.#metrics,
      detached,
      onClose: () => {
        signal?.removeEventListener('abort', onAbort);
        this.#leave(subscription);
      },
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#parts.detached(() => this.#join(subscription));
    return subscription;
  }

  /** The first of a channel asks the server for it. */
  #join(subscription: ChannelSubscription): void {
    const { channel: name } = subscription;
    const known = this.#channels.get(name);
    if (this.#state === 'paused') void subscription.pause();
    if (known !== undefined) {
      known.subscriptions.add(subscription);
      if (known.isConfirmed) subscription.begin();
      return;
    }
    this.#channels.set(name, { subscriptions: new Set([subscription]), isConfirmed: false });
    this.#connection.start();
    this.#connection.add(name);
  }

  /** The last of a channel frees the server of it, the last of all closes the connection. */
  #leave(subscription: ChannelSubscription): void {
    const { channel: name } = subscription;
    const channel = this.#channels.get(name);
    if (channel?.subscriptions.delete(subscription) !== true || channel.subscriptions.size > 0) return;
    this.#channels.delete(name);
    if (this.#channels.size === 0) this.#connection.stop();
    else this.#connection.remove(name);
  }

  async #whenConfirmed(subscription: ChannelSubscription, options: ListenOptions): Promise<void> {
    if (subscription.hasBegun) return;
    const { clock, connectTimeoutMs } = this.#parts;
    const { channel } = subscription;
    const { timeoutMs = connectTimeoutMs, signal } = options;
    const confirmed = Promise.withResolvers<void>();
    const waiter = { subscription, confirmed };
    const { reject } = confirmed;
    const onAbort = () => reject(signal?.reason);
    const timer = clock.schedule(
      timeoutMs,
      () => reject(new ListenFailedError({ channel, timeoutMs }, this.#cause())),
      {
        keepAlive: true,
      },
    );
    this.#waiters.add(waiter);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await confirmed.promise;
    } finally {
      this.#waiters.delete(waiter);
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #cause(): unknown {
    const { state } = this.#connection;
    return state.is === 'connecting' ? state.cause : undefined;
  }

  #confirmed(names: readonly string[]): void {
    for (const name of names) {
      const channel = this.#channels.get(name);
      if (channel === undefined || channel.isConfirmed) continue;
      channel.isConfirmed = true;
      for (const subscription of channel.subscriptions) subscription.begin();
    }
    for (const { subscription, confirmed } of this.#waiters) if (subscription.hasBegun) confirmed.resolve();
  }

  #deliver(name: string, payload: string): void {
    const channel = this.#channels.get(name);
    if (channel?.isConfirmed !== true) return;
    this.#metrics.received();
    for (const subscription of channel.subscriptions) subscription.message(payload);
  }

  /** Listeners that have not started get an error that no retry repairs. Those that run go on, as they were promised. */
  #failed(cause: unknown): void {
    if (judge(cause, 'acquire').retry) return;
    for (const { subscription, confirmed } of this.#waiters)
      confirmed.reject(new ListenFailedError({ channel: subscription.channel }, cause));
  }

  *#subscriptions(): Iterable<ChannelSubscription> {
    for (const { subscriptions } of this.#channels.values()) yield* subscriptions;
  }

  #settled(handlers: readonly Promise<void>[], deadline: Deadline): Promise<boolean> {
    const { clock } = this.#parts;
    return new Promise(resolve => {
      const timer = clock.schedule(deadline.remainingMs(), () => resolve(false), { keepAlive: true });
      void Promise.all(handlers).then(() => {
        timer.cancel();
        resolve(true);
      });
    });
  }
}
