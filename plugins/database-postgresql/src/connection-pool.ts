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
import { ClientHistories } from './client-histories.js';
import { IdleClients } from './idle-clients.js';
import { Loans } from './loans.js';
import { OpenSockets } from './open-sockets.js';
import type { PostgresqlOptions } from './options.js';
import { asPgClient, type PgClient } from './pg-internals.js';
import { Pings } from './pings.js';
import { PostgresqlConnection } from './postgresql-connection.js';
import { PreparedStatements, type Staleness } from './prepared-statements.js';
import { isReadOnlyServer, isStandby, timeZoneOf } from './reported-parameters.js';
import type { SilenceWatch } from './silence-watch.js';
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

/**
 * Lends connections of pg.Pool that are known to work. pg.Pool opens and closes them, and takes all of them for lent; who
 * may have one, in which order and for how long is decided here.
 */
export class ConnectionPool {
  readonly #parts: ConnectionPoolParts;
  readonly #pool: pg.Pool;
  readonly #permits: Permits;
  readonly #idle: IdleClients<PgClient>;
  readonly #histories: ClientHistories;
  readonly #pings: Pings;
  readonly #loans: Loans;
  readonly #discarded: Partial<Record<DiscardReason, number>> = {};
  #opened = 0;
  #lastFailure: unknown;
  /** When a connection was lost, or the server last let a caller wait in vain. */
  #troubledAt = Number.NEGATIVE_INFINITY;
  /** How long it took to open the last connection that was open in time. */
  #lastOpenMs = 0;
  #warming = false;
  #closing = false;
  /** The time to close is over. */
  #cut = false;
  readonly #sockets: OpenSockets;
  /** The settings of the role say that its sessions are read-only. */
  isRoleReadOnly = false;
  readonly #staleness: Staleness = { count: 0 };
  /** Whether settings that a server reports by itself are trusted: false behind a pooler, which may repeat those of another. */
  believesReports = true;
  /** A connection has led to a server that takes writes: one to a read-only server is a mistake from then on. */
  #hasTakenWrites = false;
  readonly #writable: WritableWatch;
  /** Connections opened from now on keep no statement prepared. */
  preparesNone = false;

  constructor(parts: ConnectionPoolParts) {
    const { options, clock, random, types } = parts;
    this.#parts = parts;
    this.#histories = new ClientHistories({ ...options, clock, random });
    this.#pings = new Pings({
      clock,
      types,
      timeoutMs: options.pingTimeoutMs,
      onFailure: error => this.#pingFailed(error),
    });
    this.#loans = new Loans({ ...options, clock, logger: parts.logger });
    this.#pool = new pg.Pool({ ...parts.client, max: options.max, idleTimeoutMillis: 0 });
    this.#pool.on('connect', client => this.#remember(asPgClient(client)));
    this.#pool.on('remove', client => this.#loans.forget(asPgClient(client)));
    this.#idle = new IdleClients({
      clock,
      timeoutMs: options.idleTimeoutMs,
      mayClose: () => this.#pool.totalCount > options.min,
      close: client => client.release(true),
    });
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
    return this.#histories.openedAt(client);
  }

  stats(): PoolStats {
    const { totalCount: total } = this.#pool;
    const { count: idle } = this.#idle;
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

  /** That a caller who comes late, or waits for others most of its time, gets no connection says nothing of the server. */
  #unanswered(error: UnansweredError, startedAt: number, admittedAt: number): Error {
    const now = this.#parts.clock.now();
    const openingMs = now - admittedAt;
    const hadTooLittle = openingMs < admittedAt - startedAt || openingMs < this.#lastOpenMs * 2;
    if (hadTooLittle && this.#troubledAt < startedAt) return this.#timedOut(now - startedAt, openingMs);
    this.#troubledAt = now;
    return error;
  }

  /** A pooler keeps prepared statements by their text. */
  keepPreparedByText(): void {
    this.#staleness.textEnd ??= '';
  }

  /** Checks the server of one connection. Drops a failure to connect: callers that wait for a connection meet it themselves. */
  async #lookForWrites(): Promise<'read-only' | 'anything else'> {
    if (this.#closing) return 'anything else';
    try {
      const until = Deadline.after(this.#parts.options.acquireTimeoutMs, this.#parts.clock);
      const permit = await this.#permits.acquire(until);
      try {
        const client = this.#idle.take() ?? (await this.#checkOut(until));
        const isOffLimits = this.isOffLimits(client);
        if (isOffLimits) this.#discard(client, 'read-only');
        else this.#rest(client);
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
    this.#histories.invalidate();
  }

  /** `invalidate`, and the idle ones go now. */
  renew(): void {
    this.invalidate();
    for (const client of this.#idle.takeAll()) this.#discard(client, 'invalidated');
    this.warm();
  }

  suspend(): void {
    this.#permits.suspend();
  }

  resume(): void {
    this.#permits.resume();
  }

  /** Opens connections in the background until `pool.min` are open. Reports no failure: a caller meets it at its own attempt. */
  warm(): void {
    if (this.#warming || this.#closing || this.#pool.totalCount >= this.#parts.options.min) return;
    this.#warming = true;
    void this.#fill().finally(() => {
      this.#warming = false;
    });
  }

  async #fill(): Promise<void> {
    try {
      while (!this.#closing && this.#pool.totalCount < this.#parts.options.min)
        this.#rest(asPgClient(await this.#pool.connect()));
    } catch (error) {
      this.#lastFailure = error;
    }
  }

  /**
   * Keeps an open connection for the next caller. A caller that found pg.Pool full waits in pg.Pool itself, so the
   * connection goes to pg.Pool then.
   */
  #rest(client: PgClient): void {
    if (this.#closing || this.#pool.waitingCount > 0) client.release();
    else this.#idle.put(client);
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
    for (const client of this.#idle.takeAll()) client.release();
    await this.#pool.end();
    await this.#sockets.closed(deadline);
  }

  async #checkOut(until: Deadline, signal?: AbortSignal): Promise<PgClient> {
    const { clock } = this.#parts;
    const startedAt = clock.now();
    const client = await checkOut(this.#pool, {
      clock,
      until,
      signal,
      onLate: late => this.#rest(asPgClient(late)),
      onFailure: error => this.#noteFailure(error),
    });
    this.#lastOpenMs = clock.now() - startedAt;
    return asPgClient(client);
  }

  /** At once when an idle one needs no ping. */
  #workingClient(until: Deadline, signal?: AbortSignal): PgClient | Promise<PgClient> {
    const idle = this.#idle.take();
    const isReady =
      idle !== undefined && this.#histories.faultOf(idle) === undefined && !this.#histories.isToBePinged(idle);
    return isReady ? idle : this.#provenClient(idle, until, signal);
  }

  async #provenClient(idle: PgClient | undefined, until: Deadline, signal?: AbortSignal): Promise<PgClient> {
    for (let next = idle; ; next = this.#idle.take()) {
      const client = next ?? (await this.#checkOut(until, signal));
      const fault = this.#histories.faultOf(client) ?? (await this.#pingedFaultOf(client));
      if (fault === undefined) return client;
      this.#discard(client, fault);
      if (this.#cut) throw new DatabaseClosedError();
      if (until.passed) throw new UnansweredError();
    }
  }

  async #pingedFaultOf(client: PgClient): Promise<DiscardReason | undefined> {
    const works = !this.#histories.isToBePinged(client) || (await this.#pings.isAnswered(client));
    return works ? undefined : 'unanswered';
  }

  #pingFailed(error: unknown): void {
    this.#lastFailure = error;
    this.#lost(error);
  }

  #lend(
    client: PgClient,
    permit: Permit,
    { readOnly, lentForMs }: { readOnly: boolean; lentForMs: number },
  ): DriverConnection {
    const { types, names, cancel, watch } = this.#parts;
    const prepared = this.#histories.preparedOf(client);
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
    const fault =
      this.#histories.faultOf(client) ??
      (altered ? 'altered' : undefined) ??
      (this.isOffLimits(client) ? 'read-only' : undefined);
    if (fault !== undefined) {
      this.#discard(client, fault);
      return;
    }
    this.#histories.noteUse(client);
    this.#rest(client);
  }

  /** Closes the socket at once: pg would wait for a dead server to take its goodbye. */
  #discard(client: PgClient, reason: DiscardReason): void {
    this.#discarded[reason] = (this.#discarded[reason] ?? 0) + 1;
    client.connection.stream.destroy();
    client.release(true);
    this.warm();
  }

  #remember(client: PgClient): void {
    const { clock, options } = this.#parts;
    this.#opened += 1;
    if (!isReadOnlyServer(client)) this.#hasTakenWrites = true;
    const prepared = new PreparedStatements({
      most: this.preparesNone ? 0 : options.preparedStatements,
      clock,
      staleness: this.#staleness,
      timeZone: () => timeZoneOf(client),
    });
    this.#histories.begin(client, prepared);
    // pg takes its own listener off while a client is lent; an 'error' without one would end the process.
    client.on('error', error => {
      this.#histories.noteLoss(client);
      if (this.#idle.remove(client)) client.release(true);
      this.#noteFailure(error);
    });
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

  #timedOut(waitedMs: number, openingMs = 0): AcquireTimeoutError {
    const { longestHeldMs } = this.#loans;
    const facts = { ...this.#numbers(), waitedMs, longestHeldMs, ...(openingMs > 0 && { openingMs }) };
    return new AcquireTimeoutError(facts, this.#lastFailure);
  }

  #numbers(): Omit<PoolStats, 'counters'> {
    const { counters: _counters, ...numbers } = this.stats();
    return numbers;
  }

  #destroyLent(): void {
    this.#cut = true;
    this.#pings.cut();
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
