import { type Clock, Deadline, type Logger } from '@keelson/core';
import {
  type AcquireOptions,
  AcquireTimeoutError,
  DatabaseClosedError,
  type DiscardReason,
  type DriverConnection,
  isConnectionLoss,
  type LastingNames,
  OverloadedError,
  type Permit,
  Permits,
  type PoolStats,
  severityOf,
  sqlStateOf,
} from '@keelson/database';
import pg, { type CustomTypesConfig } from 'pg';
import { checkOut, UnansweredError } from './check-out.js';
import { Loans } from './loans.js';
import { OpenSockets } from './open-sockets.js';
import type { PostgresqlOptions } from './options.js';
import { asPgClient, type PgClient } from './pg-internals.js';
import { PostgresqlConnection } from './postgresql-connection.js';
import { PreparedStatements, type Staleness } from './prepared-statements.js';
import { isReadOnlyServer, isStandby, timeZoneOf } from './reported-parameters.js';
import type { SilenceWatch } from './silence-watch.js';
import { StatementBatch } from './statement-batch.js';
import { WritableWatch } from './writable-watch.js';

export interface ConnectionPoolParts {
  /** How connections are made: `Client` makes them, and knows where to. */
  readonly client: Pick<pg.PoolConfig, 'Client'>;
  readonly options: PostgresqlOptions['pool'];
  readonly types: CustomTypesConfig;
  readonly names: LastingNames;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Watches over the connections that are lent. */
  readonly watch: SilenceWatch | undefined;
  readonly cancel: (client: PgClient, signal: AbortSignal) => Promise<void>;
  /** A connection was lost, or the server said that it goes away. */
  readonly onLost: (cause: unknown) => void;
  readonly random?: () => number;
}

/** What is remembered of one connection. */
interface History {
  readonly generation: number;
  readonly openedAt: number;
  readonly expiresAt: number;
  readonly prepared: PreparedStatements;
  usedAt: number;
}

/**
 * Lends connections of pg.Pool that are known to work. pg.Pool opens, keeps and closes them; who may have one, in which
 * order and for how long is decided here, so that pg.Pool itself never has a queue.
 */
export class ConnectionPool {
  readonly #parts: ConnectionPoolParts;
  readonly #pool: pg.Pool;
  readonly #permits: Permits;
  readonly #histories = new WeakMap<pg.ClientBase, History>();
  readonly #loans: Loans;
  readonly #discarded: Partial<Record<DiscardReason, number>> = {};
  #opened = 0;
  #generation = 0;
  #lastFailure: unknown;
  /** When a connection was lost, or the server last let a caller wait in vain. */
  #troubledAt = Number.NEGATIVE_INFINITY;
  #warming = false;
  #closing = false;
  /** The time to close is over. */
  #cut = false;
  readonly #pinged = new Set<PgClient>();
  readonly #sockets: OpenSockets;
  /** The settings of the role say that its sessions are read-only. */
  isRoleReadOnly = false;
  readonly #staleness: Staleness = { count: 0 };
  /** What a server says of itself by itself holds: no pooler in between repeats what another one has said. */
  believesReports = true;
  /** A connection has led to a server that takes writes: one to a read-only server is a mistake from then on. */
  #hasTakenWrites = false;
  readonly #writable: WritableWatch;
  /** Connections opened from now on keep no statement prepared. */
  preparesNone = false;

  constructor(parts: ConnectionPoolParts) {
    const { options, clock } = parts;
    this.#parts = parts;
    this.#loans = new Loans({ ...options, clock, logger: parts.logger });
    this.#pool = new pg.Pool({
      ...parts.client,
      max: options.max,
      min: options.min,
      idleTimeoutMillis: options.idleTimeoutMs,
    });
    this.#pool.on('connect', client => this.#remember(client));
    this.#sockets = new OpenSockets(this.#pool, clock);
    this.#pool.on('error', error => this.#noteFailure(error));
    this.#writable = new WritableWatch({ clock, look: () => this.#lookForWrites() });
    this.#permits = new Permits({
      max: options.max,
      maxWaiting: options.maxWaiting,
      clock,
      onTimeout: waitedMs => this.#timedOut(waitedMs),
      onFull: () => new OverloadedError({ ...this.#numbers(), maxWaiting: options.maxWaiting }),
    });
  }

  /** Since when there is a connection; undefined when it is not of this pool. */
  openedAt(client: PgClient): number | undefined {
    return this.#histories.get(client)?.openedAt;
  }

  stats(): PoolStats {
    const { totalCount: total, idleCount: idle } = this.#pool;
    const { taken: busy, waiting } = this.#permits;
    const { leaked } = this.#loans;
    const counters = { ...this.#permits.counters, opened: this.#opened, leaked, discarded: { ...this.#discarded } };
    return { total, idle, busy, waiting, max: this.#parts.options.max, counters };
  }

  async acquire(options: AcquireOptions): Promise<DriverConnection> {
    const startedAt = this.#parts.clock.now();
    const until = options.deadline.within(this.#parts.options.acquireTimeoutMs);
    for (;;) {
      const lent = await this.#acquireOnce(startedAt, until, options);
      if (lent !== undefined) return lent;
      await this.#writable.wait(until, options.signal);
    }
  }

  /** The connection led to a server that takes no writes, as the address did. */
  isOffLimits(client: pg.ClientBase): boolean {
    if (!this.#hasTakenWrites || !this.believesReports || !isReadOnlyServer(client)) return false;
    return !this.isRoleReadOnly || isStandby(client);
  }

  /** Undefined when there are only connections to a server that takes no writes, and the caller may write. */
  async #acquireOnce(
    startedAt: number,
    until: Deadline,
    { signal, readOnly, fresh = false, lentForMs = 0 }: AcquireOptions,
  ): Promise<DriverConnection | undefined> {
    const permit = await this.#permits.acquire(until, signal);
    const admittedAt = this.#parts.clock.now();
    try {
      const client = await this.#workingClient(until, signal);
      const mayStay = readOnly && !fresh;
      if (mayStay || !this.isOffLimits(client)) return this.#lend(client, permit, { readOnly, lentForMs });
      this.#discard(client, 'read-only');
      permit.release();
      return undefined;
    } catch (error) {
      permit.release();
      throw error instanceof UnansweredError ? this.#unanswered(error, startedAt, admittedAt) : error;
    }
  }

  /** A caller that waited for others most of its time left the server too little of it: that says nothing of the server. */
  #unanswered(error: UnansweredError, startedAt: number, admittedAt: number): Error {
    const now = this.#parts.clock.now();
    const isBusy = admittedAt - startedAt > now - admittedAt && this.#troubledAt < startedAt;
    if (isBusy) return this.#timedOut(now - startedAt);
    this.#troubledAt = now;
    return error;
  }

  /** A pooler keeps prepared statements by their text. */
  keepPreparedByText(): void {
    this.#staleness.textEnd ??= '';
  }

  /** A failure to connect is for those who wait: they meet it themselves. */
  async #lookForWrites(): Promise<'read-only' | 'anything else'> {
    if (this.#closing) return 'anything else';
    try {
      const until = Deadline.after(this.#parts.options.acquireTimeoutMs, this.#parts.clock);
      const permit = await this.#permits.acquire(until);
      try {
        const client = asPgClient(await this.#checkOut(until));
        const isOffLimits = this.isOffLimits(client);
        if (isOffLimits) this.#discard(client, 'read-only');
        else client.release();
        return isOffLimits ? 'read-only' : 'anything else';
      } finally {
        permit.release();
      }
    } catch {
      return 'anything else';
    }
  }

  /** Every connection opened until now is thrown away instead of lent again. */
  invalidate(): void {
    this.#generation += 1;
  }

  /** `invalidate`, and the idle ones go now. */
  async renew(): Promise<void> {
    this.invalidate();
    for (let idle = this.#pool.idleCount; idle > 0 && this.#pool.idleCount > 0; idle--) {
      this.#discard(asPgClient(await this.#pool.connect()), 'invalidated');
    }
    this.warm();
  }

  suspend(): void {
    this.#permits.suspend();
  }

  resume(): void {
    this.#permits.resume();
  }

  /** Opens connections in the background until `pool.min` are there. Failures are left to those who need one. */
  warm(): void {
    if (this.#warming || this.#closing || this.#pool.totalCount >= this.#parts.options.min) return;
    this.#warming = true;
    void this.#fill().finally(() => {
      this.#warming = false;
    });
  }

  /** Keeps what it gets until all are there: pg.Pool would hand out the same idle one again and again. */
  async #fill(): Promise<void> {
    const held: pg.PoolClient[] = [];
    try {
      while (!this.#closing && this.#pool.totalCount < this.#parts.options.min) held.push(await this.#pool.connect());
    } catch (error) {
      this.#lastFailure = error;
    } finally {
      for (const client of held) client.release();
    }
  }

  /** Lends no more; destroys what is still out at `deadline`. Always resolves. */
  async close(deadline: Deadline): Promise<void> {
    this.#closing = true;
    const returned = this.#permits.close(new DatabaseClosedError());
    const { clock } = this.#parts;
    const timer = clock.schedule(deadline.remainingMs(), () => this.#destroyLent(), { keepAlive: true });
    await returned;
    timer.cancel();
    this.#loans.close();
    await this.#pool.end();
    await this.#sockets.closed(deadline);
  }

  #checkOut(until: Deadline, signal?: AbortSignal): Promise<pg.PoolClient> {
    const { clock } = this.#parts;
    return checkOut(this.#pool, { clock, until, signal, onFailure: error => this.#noteFailure(error) });
  }

  async #workingClient(until: Deadline, signal?: AbortSignal): Promise<PgClient> {
    for (;;) {
      const client = asPgClient(await this.#checkOut(until, signal));
      const fault = await this.#faultOf(client);
      if (fault === undefined) return client;
      this.#discard(client, fault);
      if (this.#cut) throw new DatabaseClosedError();
      if (until.passed) throw new UnansweredError();
    }
  }

  async #faultOf(client: PgClient): Promise<DiscardReason | undefined> {
    const now = this.#parts.clock.now();
    const known = this.#knownFaultOf(client, now);
    if (known !== undefined) return known;
    const idleMs = now - (this.#histories.get(client)?.usedAt ?? now);
    if (idleMs <= this.#parts.options.pingAfterIdleMs) return undefined;
    return (await this.#ping(client)) ? undefined : 'unanswered';
  }

  #knownFaultOf(client: PgClient, now: number): DiscardReason | undefined {
    const history = this.#histories.get(client);
    if (history === undefined || history.generation !== this.#generation) return 'invalidated';
    return now >= history.expiresAt ? 'expired' : undefined;
  }

  #ping(client: PgClient): Promise<boolean> {
    const { clock, options, types } = this.#parts;
    this.#pinged.add(client);
    return new Promise<boolean>(resolve => {
      const timer = clock.schedule(options.pingTimeoutMs, () => this.#pingFailed(new Error('ping timed out'), resolve));
      client.query(
        new StatementBatch([{ sql: 'select 1' }], {
          types,
          settle: ({ failure }) => {
            timer.cancel();
            if (failure === undefined) resolve(true);
            else this.#pingFailed(failure.error, resolve);
          },
        }),
      );
    }).finally(() => this.#pinged.delete(client));
  }

  #pingFailed(error: unknown, resolve: (works: boolean) => void): void {
    this.#lastFailure = error;
    this.#lost(error);
    resolve(false);
  }

  #lend(
    client: PgClient,
    permit: Permit,
    { readOnly, lentForMs }: { readOnly: boolean; lentForMs: number },
  ): DriverConnection {
    const { types, names, cancel, watch } = this.#parts;
    const prepared = this.#histories.get(client)?.prepared;
    const connection = new PostgresqlConnection(client, {
      types,
      names,
      ...(prepared && { prepared }),
      cancel,
      watch,
      isRoleReadOnly: this.isRoleReadOnly,
      believesReports: this.believesReports,
      onRefusal: error => {
        if (!readOnly) this.#noteRefusal(error);
      },
      returned: {
        giveBack: altered => {
          this.#loans.end(client);
          this.#giveBack(client, altered);
          permit.release();
        },
        throwAway: reason => {
          this.#loans.end(client);
          this.#noteFailure(reason);
          this.#discard(client, 'lost');
          permit.release();
        },
      },
    });
    this.#loans.begin(client, lentForMs, reason => connection.destroy(reason));
    return connection;
  }

  #giveBack(client: PgClient, altered: boolean): void {
    const now = this.#parts.clock.now();
    const fault =
      this.#knownFaultOf(client, now) ??
      (altered ? 'altered' : undefined) ??
      (this.isOffLimits(client) ? 'read-only' : undefined);
    if (fault !== undefined) {
      this.#discard(client, fault);
      return;
    }
    const history = this.#histories.get(client);
    if (history !== undefined) history.usedAt = now;
    client.release();
  }

  /** Closes the socket at once: pg would wait for a dead server to take its goodbye. */
  #discard(client: PgClient, reason: DiscardReason): void {
    this.#discarded[reason] = (this.#discarded[reason] ?? 0) + 1;
    this.#loans.forget(client);
    client.connection.stream.destroy();
    client.release(true);
    this.warm();
  }

  #remember(client: pg.ClientBase): void {
    const { clock, options, random = Math.random } = this.#parts;
    const now = clock.now();
    this.#opened += 1;
    if (!isReadOnlyServer(client)) this.#hasTakenWrites = true;
    const lifetimeMs = options.maxLifetimeMs * (1 - random() * 0.1);
    this.#histories.set(client, {
      generation: this.#generation,
      openedAt: now,
      expiresAt: now + lifetimeMs,
      prepared: new PreparedStatements({
        most: this.preparesNone ? 0 : options.preparedStatements,
        clock,
        staleness: this.#staleness,
        timeZone: () => timeZoneOf(client),
      }),
      usedAt: now,
    });
    // pg takes its own listener off while a client is lent; an 'error' without one would end the process.
    client.on('error', error => this.#noteFailure(error));
  }

  #noteFailure(error: unknown): void {
    this.#lastFailure = error;
    if (meansRestart(error)) this.#lost(error);
  }

  /** 25006 for one who may write: the server is read-only now, so the primary is another one. */
  #noteRefusal(error: unknown): void {
    if (sqlStateOf(error) !== '25006') return;
    this.#lastFailure = error;
    this.#lost(error);
  }

  #lost(error: unknown): void {
    this.#troubledAt = this.#parts.clock.now();
    this.invalidate();
    this.#parts.onLost(error);
  }

  #timedOut(waitedMs: number): AcquireTimeoutError {
    const { longestHeldMs } = this.#loans;
    return new AcquireTimeoutError({ ...this.#numbers(), waitedMs, longestHeldMs }, this.#lastFailure);
  }

  #numbers(): Omit<PoolStats, 'counters'> {
    const { counters: _counters, ...numbers } = this.stats();
    return numbers;
  }

  #destroyLent(): void {
    this.#cut = true;
    for (const client of this.#pinged) client.connection.stream.destroy();
    this.#loans.destroyAll(new DatabaseClosedError());
  }
}

/** Per connection and no sign of a restart: idle_in_transaction_session_timeout and idle_session_timeout. */
const ownFault = new Set(['25P03', '57P05']);

/** Whether the end of one connection may be the end of its server. */
export function meansRestart(error: unknown): boolean {
  if (!isConnectionLoss(error) || ownFault.has(sqlStateOf(error) ?? '')) return false;
  return severityOf(error) !== 'FATAL' || (sqlStateOf(error) ?? '').startsWith('57P');
}
