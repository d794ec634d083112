import { type Clock, Deadline, type Logger, type Timer } from '@keelson/core';
import {
  type AcquireOptions,
  type BatchOutcome,
  DatabaseClosedError,
  type DriverConnection,
  type DriverListener,
  type LastingNames,
  type OpenListenerOptions,
  type Pooler,
  type PoolStats,
  type Statement,
} from '@keelson/database';
import pg from 'pg';
import { BackendLook } from './backend-look.js';
import { endIdleBlocker } from './blocker.js';
import { cancelStatement } from './cancel.js';
import { clientConfig, hostOf, type StartLimits, startLimitsOf } from './client-config.js';
import { ClientSettings } from './client-settings.js';
import { ConnectionPool, meansRestart } from './connection-pool.js';
import { ControlConnection } from './control-connection.js';
import { limitNames } from './engine/probes.js';
import { nameOf } from './host.js';
import { type Door, hostClientClass, probeHost } from './host-client.js';
import type { HostList } from './host-list.js';
import { HostFailure, Hosts } from './hosts.js';
import { ListeningClient } from './listening-client.js';
import type { LoginSource } from './login.js';
import { LoginChanged, Logins } from './logins.js';
import { lostOnTheWay } from './lost-on-the-way.js';
import type { PostgresqlOptions } from './options.js';
import type { PgClient } from './pg-internals.js';
import type { RoleSource } from './server-role.js';
import { SilenceWatch } from './silence-watch.js';
import { typeParsers } from './type-parsers.js';

export interface EndpointParts {
  readonly servers: HostList;
  readonly login: LoginSource;
  readonly options: PostgresqlOptions;
  readonly pool: PostgresqlOptions['pool'];
  readonly names: LastingNames;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A connection was lost, or the server said that it goes away. */
  readonly onLost: (cause: unknown) => void;
  /** A connection for work was opened, and took this long. */
  readonly onOpened?: ((durationMs: number) => void) | undefined;
}

/** Longer than a look for the outcome of a commit takes. */
const closeApartAfterMs = 60_000;
/** By then a question waits for a lock, if it has to. */
const lookAfterMs = 100;

/** One server, or whichever of several is the wanted one: connections lent from a pool, and one for questions. */
export class Endpoint {
  readonly databaseName: string;
  readonly #hosts: Hosts;
  readonly #pool: ConnectionPool;
  readonly #control: ControlConnection;
  readonly #newListeningClient: () => pg.Client;
  /** The one that was opened last: a service has one at a time. */
  #listener: ListeningClient | undefined;
  readonly #types: pg.CustomTypesConfig;
  /** For what may have to wait; closed when nothing was asked for a while. */
  readonly #apart: ControlConnection;
  #closingApart: Timer | undefined;
  readonly #acquireTimeoutMs: number;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #roles: RoleSource = { isAsked: false };
  readonly #configOf: (servers: HostList) => pg.ClientConfig;
  readonly #logins: Logins;
  readonly #logger: Logger;
  #settings: ClientSettings;
  #startLimits: StartLimits;
  #refusesLimits: Pooler | undefined;

  constructor({ servers, login, options, pool, names, clock, logger, onLost, onOpened }: EndpointParts) {
    const [url = ''] = servers.urls;
    this.#configOf = to => clientConfig(to, options, pool);
    const config = this.#configOf(servers);
    this.#settings = new ClientSettings(config, logger);
    this.#logger = logger;
    this.#logins = new Logins({ source: login, clock, onOtherUser: () => this.#expireControl() });
    const door: Door = {
      settings: () => this.#settings,
      logins: this.#logins,
      roles: this.#roles,
      clock,
      onOpened,
      closing: this.#closing.signal,
    };
    const types = typeParsers();
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
    this.#startLimits = startLimitsOf(url, options);
    const lost = (cause: unknown) => {
      this.#hosts.doubt();
      onLost(cause);
    };
    const ListenClient = hostClientClass(door, this.#hosts, ' listen');
    this.#newListeningClient = () => new ListenClient();
    this.#types = types;
    const ControlClient = hostClientClass(door, this.#hosts, ' control');
    const onControlLost = (cause: unknown) => {
      if (meansRestart(cause)) lost(cause);
    };
    const isOffLimits = (client: PgClient) => this.#pool.isOffLimits(client);
    this.#control = new ControlConnection(() => new ControlClient(), types, onControlLost, isOffLimits);
    this.#apart = new ControlConnection(() => new ControlClient(), types, onControlLost, isOffLimits);
    this.#pool = new ConnectionPool({
      client: { Client: hostClientClass(door, this.#hosts) },
      options: pool,
      types,
      names,
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
   * New connections go to `servers`, and the ones there are replaced; no session is interrupted.
   *
   * @throws ConnectionError for TLS files that cannot be used; nothing has changed then.
   */
  change(servers: HostList): void {
    const settings = new ClientSettings(this.#configOf(servers), this.#logger);
    if (!this.startsWithLimits) settings.leaveOut(limitNames);
    this.#settings = settings;
    this.#hosts.change({ hosts: servers.urls.map(hostOf), target: servers.target });
    this.#expireControl();
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

  /** The limits that each connection is opened with, by the name of the setting, in ms; without the settings of the url. */
  get startLimits(): StartLimits {
    return this.#startLimits;
  }

  get startsWithLimits(): boolean {
    return this.#settings.config.statement_timeout !== undefined;
  }

  /** The pooler that has refused the start limits. */
  get refusesLimits(): Pooler | undefined {
    return this.#refusesLimits;
  }

  /** Connections that are opened from now on set no limits for themselves. */
  startWithoutLimits(refusedBy?: Pooler): void {
    this.#refusesLimits ??= refusedBy;
    this.#settings.leaveOut(limitNames);
    this.#startLimits = {};
    this.#hosts.lookAgain();
  }

  /** From now on asks servers for their role and does not trust the settings that they report by themselves. */
  askRoles(): void {
    if (this.#roles.isAsked) return;
    this.#roles.isAsked = true;
    this.#pool.believesReports = false;
    this.#hosts.doubt();
    this.#moved();
  }

  /** Connections that are opened from now on keep no statement prepared. */
  prepareNone(): void {
    this.#pool.preparesNone = true;
    this.#pool.invalidate();
  }

  /** A pooler keeps the prepared statements of all its clients by their text. */
  keepPreparedByText(): void {
    this.#pool.keepPreparedByText();
  }

  /** The process that the handshake of the connection for questions named; null when it named none. */
  get backendKey(): number | null | undefined {
    return this.#control.server?.processId;
  }

  /** A connection of the pool, to find out what it leads to. */
  acquireToLook(signal: AbortSignal): Promise<DriverConnection> {
    return this.acquire({ deadline: Deadline.after(this.#acquireTimeoutMs, this.#clock), signal, readOnly: false });
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

  /** The same over a further connection: no ping waits for its answer. */
  async askApart(
    statements: readonly Statement[],
    signal: AbortSignal,
    { endsIdle = false }: { readonly endsIdle?: boolean } = {},
  ): Promise<BatchOutcome['results']> {
    this.#closingApart?.cancel();
    this.#closingApart = this.#clock.schedule(closeApartAfterMs, () => this.#apart.close());
    const ending = endsIdle ? this.#clock.schedule(lookAfterMs, () => void this.#endIdle()) : undefined;
    try {
      return await this.#reach(() => this.#apart.ask(statements, signal));
    } finally {
      ending?.cancel();
    }
  }

  async #endIdle(): Promise<void> {
    await endIdleBlocker(this.#control, this.#apart.server).catch(() => {});
  }

  /** A connection of its own, to the wanted server; lost when another becomes that. */
  async openListener(options: OpenListenerOptions): Promise<DriverListener> {
    const parts = {
      ...options,
      newClient: this.#newListeningClient,
      types: this.#types,
      isRoleReadOnly: () => this.#pool.isRoleReadOnly,
    };
    this.#listener = await this.#reach(() => ListeningClient.open(parts));
    return this.#listener;
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
    this.#listener?.lose(renewed());
    this.#pool.renew();
  }

  async close(deadline: Deadline): Promise<void> {
    const giveUp = () => this.#closing.abort(new DatabaseClosedError());
    const timer = this.#clock.schedule(deadline.remainingMs(), giveUp, { keepAlive: true });
    await this.#pool.close(deadline);
    timer.cancel();
    giveUp();
    this.#control.close();
    this.#closingApart?.cancel();
    this.#apart.close();
  }

  /** Ends connections whose statement got lost, so that the callers that wait for it get an error. */
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

  /** Runs `work`, and again after a failure that another host or login may mend. */
  async #reach<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof HostFailure || error instanceof LoginChanged)) throw error;
      return this.#logins.reach(() => this.#hosts.reach(work));
    }
  }

  /** A question that is being asked is answered first. */
  #expireControl(): void {
    this.#control.expire();
    this.#apart.expire();
  }

  #moved(): void {
    this.#control.close();
    this.#apart.close();
    this.renew();
  }
}

function renewed(): Error {
  return Object.assign(new Error('every connection is being replaced'), { code: 'ECONNABORTED' });
}
