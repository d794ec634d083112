import type { Clock, Deadline, Logger } from '@keelson/core';
import {
  type AcquireOptions,
  type BatchOutcome,
  DatabaseClosedError,
  type DriverConnection,
  type PoolStats,
  type Row,
  type Statement,
  type TransactionLimits,
} from '@keelson/database';
import { createPostgreSqlTypeParsers } from '@mikro-orm/sql';
import pg from 'pg';
import array from 'postgres-array';
import { backendColumns, backendFactsOf } from './backend-facts.js';
import { BackendLook } from './backend-look.js';
import { cancelStatement } from './cancel.js';
import { ClientSettings } from './client-settings.js';
import { ConnectionPool, meansRestart } from './connection-pool.js';
import { ControlConnection } from './control-connection.js';
import { type Host, nameOf } from './host.js';
import { type Door, hostClientClass, probeHost } from './host-client.js';
import type { HostList } from './host-list.js';
import { HostFailure, Hosts } from './hosts.js';
import type { LoginSource } from './login.js';
import { LoginChanged, Logins } from './logins.js';
import { lostOnTheWay } from './lost-on-the-way.js';
import type { PostgresqlOptions } from './options.js';
import { SilenceWatch } from './silence-watch.js';
import { StartupLimits } from './startup-limits.js';

export interface EndpointParts {
  readonly servers: HostList;
  readonly login: LoginSource;
  readonly options: PostgresqlOptions;
  readonly pool: PostgresqlOptions['pool'];
  readonly clock: Clock;
  readonly logger: Logger;
  /** A connection was lost, or the server said that it goes away. */
  readonly onLost: (cause: unknown) => void;
}

/** One server, or whichever of several is the wanted one: connections lent from a pool, and one for questions. */
export class Endpoint {
  readonly databaseName: string;
  readonly #hosts: Hosts;
  readonly #pool: ConnectionPool;
  readonly #control: ControlConnection;
  readonly #acquireTimeoutMs: number;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #configOf: (servers: HostList) => pg.ClientConfig;
  readonly #logins: Logins;
  readonly #logger: Logger;
  #settings: ClientSettings;
  readonly #startup: StartupLimits;
  #isPooled = false;
  #ridingLimits: TransactionLimits | undefined;

  constructor({ servers, login, options, pool, clock, logger, onLost }: EndpointParts) {
    this.#configOf = to => ({ ...clientConfig(to.urls[0] ?? '', options), ...connectTimeout(to, options, pool) });
    const config = this.#configOf(servers);
    this.#settings = new ClientSettings(config, logger);
    this.#logger = logger;
    const types = typeParsers();
    const startup = new StartupLimits(config);
    this.#startup = startup;
    this.#logins = new Logins({ source: login, clock, onOtherUser: () => this.#control.expire() });
    const door: Door = {
      settings: () => this.#settings,
      logins: this.#logins,
      startup,
      closing: this.#closing.signal,
    };
    this.databaseName = new pg.Client(config).database ?? '';
    this.#clock = clock;
    this.#acquireTimeoutMs = pool.acquireTimeoutMs;
    this.#hosts = new Hosts({
      hosts: servers.urls.map(hostOf),
      target: servers.target,
      probe: host => probeHost(door, host),
      clock,
      logger,
      onMoved: () => this.#moved(),
    });
    const lost = (cause: unknown) => {
      this.#hosts.doubt();
      onLost(cause);
    };
    const ControlClient = hostClientClass(door, this.#hosts, ' control');
    this.#control = new ControlConnection(
      () => new ControlClient(),
      types,
      cause => {
        if (meansRestart(cause)) lost(cause);
      },
    );
    this.#pool = new ConnectionPool({
      client: { Client: hostClientClass(door, this.#hosts) },
      options: pool,
      types,
      clock,
      logger,
      watch: this.#watchOver(options.silentAfterMs, logger),
      cancel: (lent, signal) => cancelStatement(this.#settings.config, lent, signal),
      onLost: lost,
    });
  }

  /** `a:5432`, in the order in which they are tried. */
  get hostNames(): readonly string[] {
    return this.#hosts.all.map(nameOf);
  }

  /**
   * New connections go to `servers`, and the ones there are replaced; nobody is interrupted.
   *
   * @throws ConnectionError for TLS files that cannot be used; nothing has changed then.
   */
  change(servers: HostList): void {
    this.#settings = new ClientSettings(this.#configOf(servers), this.#logger);
    this.#hosts.change({ hosts: servers.urls.map(hostOf), target: servers.target });
    this.#control.expire();
    this.renew();
  }

  /** `a:5432`, the one it was last found to be; undefined before the first connection. */
  get hostName(): string | undefined {
    const { current } = this.#hosts;
    return current === undefined ? undefined : nameOf(current);
  }

  /** False while none of its hosts is the wanted one. */
  get isFound(): boolean {
    return this.#hosts.isFound;
  }

  async acquire(options: AcquireOptions): Promise<DriverConnection> {
    const deadline = options.deadline.within(this.#acquireTimeoutMs);
    try {
      return await this.#reach(() => this.#pool.acquire({ ...options, deadline }));
    } catch (error) {
      throw this.#closing.signal.aborted ? new DatabaseClosedError() : error;
    }
  }

  /** Over a connection of its own: never behind the work of users. */
  ask(statements: readonly Statement[], signal: AbortSignal): Promise<BatchOutcome['results']> {
    return this.#reach(() => this.#control.ask(statements, signal));
  }

  /**
   * Asks for `columns`, and learns from the same answer what the connections are like: whether a pooler is in between, and
   * whether they have their limits.
   */
  async look(columns: string, signal: AbortSignal): Promise<Row | undefined> {
    const [result] = await this.ask([{ sql: `select ${columns}, ${backendColumns(this.#startup.limits)}` }], signal);
    const [row] = result?.rows ?? [];
    const { isPooled, hasLimits } = backendFactsOf(row, this.#control.server?.processId);
    this.#ridingLimits = isPooled || !hasLimits ? this.#startup.limits : undefined;
    if (isPooled && !this.#isPooled) this.#pool.preparesNone();
    this.#isPooled = isPooled;
    return row;
  }

  /** A pooler is in between, as of the last look. */
  get isPooled(): boolean {
    return this.#isPooled;
  }

  /** What each transaction must set for itself, as of the last look: the connections do not have it. */
  get ridingLimits(): TransactionLimits | undefined {
    return this.#ridingLimits;
  }

  /** The settings of the role say that its sessions are read-only: then a refused write says nothing of the server. */
  expectReadOnly(isRoleReadOnly: boolean): void {
    this.#pool.isRoleReadOnly = isRoleReadOnly;
  }

  stats(): PoolStats {
    return this.#pool.stats();
  }

  warm(): void {
    this.#pool.warm();
  }

  suspend(): void {
    this.#pool.suspend();
  }

  resume(): void {
    this.#pool.resume();
  }

  renew(): void {
    void this.#pool.renew().catch(() => {});
  }

  async close(deadline: Deadline): Promise<void> {
    const giveUp = () => this.#closing.abort(new DatabaseClosedError());
    const timer = this.#clock.schedule(deadline.remainingMs(), giveUp, { keepAlive: true });
    await this.#pool.close(deadline);
    timer.cancel();
    giveUp();
    this.#control.close();
  }

  /** Ends connections whose statement got lost, so that those who wait for it hear of it. */
  #watchOver(silentAfterMs: number, logger: Logger): SilenceWatch | undefined {
    if (silentAfterMs === 0) return undefined;
    const backends = new BackendLook(this.#control, this.#clock, client => this.#pool.openedAt(client));
    return new SilenceWatch({
      silentAfterMs,
      clock: this.#clock,
      look: clients => backends.at(clients),
      onLost: (client, lost) => {
        logger.warn('a statement or its answer was lost on the way', { ...lost });
        client.connection.stream.destroy(lostOnTheWay(lost));
        void backends.end(client);
      },
    });
  }

  /** Runs `work`, and again after a failure that another host, login or start of the connection may mend. */
  async #reach<T>(work: () => Promise<T>): Promise<T> {
    const { areRefused } = this.#startup;
    try {
      return await work();
    } catch (error) {
      const isOfThePlace = error instanceof HostFailure || error instanceof LoginChanged;
      if (!isOfThePlace && areRefused === this.#startup.areRefused) throw error;
      return this.#logins.reach(() => this.#startup.reach(() => this.#hosts.reach(work)));
    }
  }

  #moved(): void {
    this.#control.close();
    this.renew();
  }
}

/** What is not in the url comes from pg's own defaults and the variables of libpq (`PGHOST`). */
function hostOf(url: string): Host {
  const { host, port } = new pg.Client(url);
  return { host, port };
}

function clientConfig(url: string, options: PostgresqlOptions): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: options.applicationName,
    statement_timeout: options.statementTimeoutMs,
    lock_timeout: options.lockTimeoutMs,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: options.keepAliveMs,
    types: typeParsers(),
  };
}

/** With others to turn to, a caller must have time left when one host has not answered. */
function connectTimeout(
  servers: HostList,
  { connectTimeoutMs }: PostgresqlOptions,
  { acquireTimeoutMs }: PostgresqlOptions['pool'],
): pg.ClientConfig {
  const longestMs = servers.urls.length > 1 ? acquireTimeoutMs / 2 : connectTimeoutMs;
  return { connectionTimeoutMillis: Math.ceil(Math.min(connectTimeoutMs, longestMs)) };
}

/** The types as MikroORM expects them: dates and numbers as text where it converts them itself. */
function typeParsers(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides();
  for (const [oid, parser] of Object.entries(createPostgreSqlTypeParsers(text => array.parse(text)))) {
    types.setTypeParser(Number(oid), parser);
  }
  return types;
}
