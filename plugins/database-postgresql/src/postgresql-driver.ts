import type { Deadline } from '@keelson/core';
import {
  type AcquireOptions,
  type BatchOutcome,
  type DatabaseCapability,
  type DatabaseDriver,
  type DriverConnection,
  type DriverContext,
  type DriverListener,
  type Engine,
  type HostStats,
  LastingNames,
  type OpenListenerOptions,
  type PoolStats,
  plainEngine,
  type Statement,
  type TransactionLimits,
  type TransactionOutcome,
} from '@keelson/database';
import { lookUpCommit, transactionIdProbe } from './commit-lookup.js';
import { ConfiguredLogins, type RereadFiles } from './configured-logins.js';
import { Endpoint } from './endpoint.js';
import { findEngine } from './engine/find-engine.js';
import { hostListOf } from './host-list.js';
import type { PostgresqlOptions } from './options.js';
import { sumOf } from './pool-stats.js';
import { Replicas } from './replicas.js';
import { urlChange } from './url-change.js';
import { positionProbe } from './wal-position.js';

/** DatabaseDriver on PostgreSQL, through pg: on one server, on whichever of several takes writes, and on replicas. */
export class PostgresqlDriver implements DatabaseDriver {
  readonly name = 'postgresql';
  engine: Engine = plainEngine();
  transactionIdProbe: Statement | undefined;
  readonly positionProbe = positionProbe;
  transactionLimits: TransactionLimits | undefined;
  isReadCommitted = false;
  readonly #logins: ConfiguredLogins;
  readonly #primary: Endpoint;
  readonly #replicas: Replicas;
  readonly #acquireTimeoutMs: number;
  #options: PostgresqlOptions;
  readonly #names: LastingNames;
  readonly #lostListeners: ((cause: unknown) => void)[] = [];

  constructor(options: PostgresqlOptions, context: DriverContext<PostgresqlOptions>) {
    const { clock, logger, rereadFiles, credentials, onOpened } = context;
    this.#options = options;
    this.#logins = new ConfiguredLogins({ options, rereadFiles, credentials, logger });
    this.#acquireTimeoutMs = options.pool.acquireTimeoutMs;
    this.#names = new LastingNames(clock, async statements => {
      const controller = new AbortController();
      const timeout = clock.schedule(longestQuestionMs, () => controller.abort(new Error('no answer in time')));
      try {
        return await this.#primary.ask(statements, controller.signal);
      } finally {
        timeout.cancel();
      }
    });
    this.#primary = new Endpoint({
      servers: hostListOf(options.url),
      login: this.#logins.sourceOf(now => hostListOf(now.url).urls[0] ?? ''),
      options,
      pool: options.pool,
      names: this.#names,
      clock,
      logger,
      onLost: cause => {
        for (const listener of this.#lostListeners) listener(cause);
      },
      onOpened,
    });
    this.#replicas = new Replicas({
      options,
      logins: this.#logins,
      names: this.#names,
      clock,
      logger,
      isReadCommitted: () => this.isReadCommitted,
      onOpened,
    });
  }

  /**
   * Takes another url, user and password: logs in with them from now on, and replaces the connections when more has changed
   * than the password. Interrupts no session.
   *
   * @throws KeelsonError `DATABASE_RELOAD_REFUSED` for a url with another database or other settings of its sessions;
   * ConnectionError for TLS files that cannot be used. Nothing has changed then.
   */
  reconfigure(options: PostgresqlOptions, rereadFiles?: RereadFiles): void {
    const change = urlChange(this.#options, options);
    if (change !== 'none') this.#primary.change(hostListOf(options.url));
    this.#logins.change(options, rereadFiles);
    this.#options = options;
  }

  get capabilities(): ReadonlySet<DatabaseCapability> {
    return this.engine.capabilities;
  }

  get databaseName(): string {
    return this.#primary.databaseName;
  }

  get servers(): readonly string[] {
    return this.#primary.hostNames;
  }

  get hasReplicas(): boolean {
    return this.#replicas.all.length > 0;
  }

  async connect(signal: AbortSignal): Promise<void> {
    const { engine: given } = this.#options;
    const found = await findEngine(this.#primary, given === 'auto' ? {} : given, {
      signal,
      hasReplicas: this.hasReplicas,
    });
    this.isReadCommitted = found.isReadCommitted;
    this.#primary.expectReadOnly(found.isRoleReadOnly);
    this.#use(found.engine);
    if (found.lasting !== undefined) await this.#names.learn(found.lasting);
    this.#primary.warm();
    const { maxLagMs } = this.#options.replicas;
    if (found.engine.capabilities.has('replica-lag') || maxLagMs === 'any') this.#replicas.watch();
  }

  /** What it lacks is not asked for from now on. */
  #use(engine: Engine): void {
    const { capabilities } = engine;
    this.engine = engine;
    this.transactionIdProbe = capabilities.has('commit-lookup') ? transactionIdProbe : undefined;
    const setsLimits = !capabilities.has('startup-parameters') && capabilities.has('server-timeouts');
    this.transactionLimits = setsLimits ? limitsOf(this.#options) : undefined;
    for (const endpoint of this.#endpoints()) {
      if (!(capabilities.has('startup-parameters') && capabilities.has('server-timeouts')))
        endpoint.startWithoutLimits();
      if (!capabilities.has('prepared-statements')) endpoint.prepareNone();
      if (engine.pooler !== undefined) endpoint.askRoles();
      if (engine.pooling === 'transaction') endpoint.keepPreparedByText();
    }
  }

  lastingNameIn(sql: string): string | undefined {
    return this.#names.nameIn(sql);
  }

  async acquire(options: AcquireOptions): Promise<DriverConnection> {
    const within = { ...options, deadline: options.deadline.within(this.#acquireTimeoutMs) };
    const learning = this.#names.known(within);
    if (learning !== undefined) await learning;
    const mayBeReplica = this.hasReplicas && options.readOnly && options.fresh !== true;
    const primary = () => this.#primary.acquire(hasBound(options) ? { ...within, fresh: true } : within);
    const fromReplica = mayBeReplica ? await this.#replicas.acquire(within, primary) : undefined;
    return fromReplica ?? primary();
  }

  async ping(signal: AbortSignal): Promise<void> {
    await this.#primary.ask([{ sql: 'select 1' }], signal);
  }

  transactionOutcome(transactionId: string, signal: AbortSignal): Promise<TransactionOutcome> {
    return lookUpCommit(transactionId, statements => this.#primary.ask(statements, signal));
  }

  openListener(options: OpenListenerOptions): Promise<DriverListener> {
    return this.#primary.openListener(options);
  }

  askApart(
    statements: readonly Statement[],
    signal: AbortSignal,
    options?: { readonly endsIdle?: boolean },
  ): Promise<BatchOutcome['results']> {
    return this.#primary.askApart(statements, signal, options);
  }

  stats(): PoolStats {
    return sumOf(this.#primary.stats(), ...this.#replicas.all.map(replica => replica.stats()));
  }

  hosts(): readonly HostStats[] {
    const { hostName, isFound } = this.#primary;
    const primary: HostStats = {
      host: hostName ?? '',
      role: 'primary',
      state: isFound ? 'fit' : 'away',
      pool: this.#primary.stats(),
    };
    return [primary, ...this.#replicas.all.map(replica => replica.describe())];
  }

  suspend(): void {
    for (const endpoint of this.#endpoints()) endpoint.suspend();
  }

  resume(): void {
    for (const endpoint of this.#endpoints()) endpoint.resume();
  }

  renew(): void {
    for (const endpoint of this.#endpoints()) endpoint.renew();
  }

  async close(deadline: Deadline): Promise<void> {
    await Promise.all([this.#primary.close(deadline), this.#replicas.close(deadline)]);
  }

  onLost(listener: (cause: unknown) => void): void {
    this.#lostListeners.push(listener);
  }

  #endpoints(): readonly Endpoint[] {
    return [this.#primary, ...this.#replicas.all.map(({ endpoint }) => endpoint)];
  }
}

/** It must not see less than was stored by some moment: a connection may lead to a standby also where the primary was. */
function hasBound({ after, maxLagMs }: AcquireOptions): boolean {
  return after !== undefined || maxLagMs !== undefined;
}

/** About functions and views, in ms. Without an answer, what is known stays. */
const longestQuestionMs = 2_000;

function limitsOf(options: PostgresqlOptions): TransactionLimits {
  return {
    statementTimeoutMs: options.statementTimeoutMs,
    lockTimeoutMs: options.lockTimeoutMs,
    idleTimeoutMs: options.idleInTransactionTimeoutMs,
  };
}
