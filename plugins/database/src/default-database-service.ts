import {
  type Clock,
  Deadline,
  type HealthResult,
  type Logger,
  type Metrics,
  type RetryPolicy,
  silentMetrics,
  type Telemetry,
} from '@keelson/core';
import type { EntityName, RequiredEntityData } from '@mikro-orm/core';
import { addressOf } from './address.js';
import type { BatchOptions, BatchProgress, BatchSource, BatchWork } from './batch/batch-options.js';
import { Batches } from './batch/batches.js';
import { connectWithin } from './connect.js';
import type {
  DatabaseService,
  DatabaseSession,
  OpenSessionOptions,
  SessionOptions,
  SessionWork,
} from './database-service.js';
import { GuardedDirectConnections } from './driver/direct-connections.js';
import type { DatabaseCapability, DatabaseDriver, PoolStats } from './driver/driver.js';
import { createDialect } from './driver/session-driver.js';
import { mayBeElsewhere } from './driver/transaction-settings.js';
import { causeOf, DatabaseClosedError, faultFacts, notConnected } from './errors/connection-error.js';
import { UnsupportedError } from './errors/session-errors.js';
import { Healing } from './healing.js';
import { answered, unanswered } from './health.js';
import { DatabaseMetrics } from './metrics.js';
import type { MigrationStatus } from './migrations/migration-status.js';
import { Migrations } from './migrations/migrations.js';
import type { DatabaseModel } from './model.js';
import type { CommonDatabaseOptions } from './options.js';
import { createOrm, type Orm, type OrmDriver } from './orm.js';
import { StoppableRetryPolicy } from './retry/stoppable-retry-policy.js';
import { draftMigration } from './schema/draft-migration.js';
import type { SchemaReport } from './schema/schema-report.js';
import { validateSchema } from './schema/validate-schema.js';
import { CurrentSession } from './session/current-session.js';
import { OpenSessions } from './session/open-sessions.js';
import { isRehearsal } from './session/rehearsal.js';
import { SessionOpener, type SessionTarget } from './session/session-opener.js';
import { UnitRunner } from './session/unit-runner.js';
import type { UnitSession } from './session/unit-session.js';
import { type DatabaseState, type StateListener, StateMachine } from './state.js';
import { StatementLog } from './statement-log.js';

export interface DatabaseServiceParts {
  readonly driver: DatabaseDriver;
  readonly ormDriver: OrmDriver;
  readonly models: readonly DatabaseModel[];
  readonly options: CommonDatabaseOptions;
  readonly retry: RetryPolicy;
  readonly telemetry: Telemetry;
  /** Default: measured by nobody. */
  readonly metrics?: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** What breaker, spans and metrics call it: `database`, `database/reporting`. */
  readonly target: string;
}

/** Makes the service over a driver. Connects to nothing. */
export function createDatabaseService(parts: DatabaseServiceParts): DatabaseService {
  return new DefaultDatabaseService(parts);
}

class DefaultDatabaseService implements DatabaseService {
  readonly #parts: DatabaseServiceParts;
  readonly #state = new StateMachine();
  readonly #current = new CurrentSession();
  readonly #openSessions: OpenSessions;
  readonly #metrics: DatabaseMetrics;
  readonly #stopping = new AbortController();
  readonly #closed = new AbortController();
  readonly #retry: StoppableRetryPolicy;
  readonly #healing: Healing;
  readonly #opener: SessionOpener;
  readonly #units: UnitRunner;
  readonly #orm: Orm;
  readonly #batches: Batches;
  readonly #migrations: Migrations;
  #verifying = false;
  #connecting: Promise<void> | undefined;
  #disconnecting: Promise<void> | undefined;

  constructor(parts: DatabaseServiceParts) {
    const { driver, clock, logger, options } = parts;
    this.#parts = parts;
    this.#metrics = new DatabaseMetrics(parts.metrics ?? silentMetrics, parts.target, () => driver.stats());
    this.#orm = createOrm({
      ormDriver: parts.ormDriver,
      dialect: createDialect(new GuardedDirectConnections(driver, clock, this.#current)),
      databaseName: driver.databaseName,
      models: parts.models,
      migrationsTable: options.migrations.tableName,
      currentEntityManager: () => this.#current.get()?.em,
    });
    this.#retry = new StoppableRetryPolicy(parts.retry, [parts.target, replicaTarget(parts.target)]);
    this.#openSessions = new OpenSessions(clock);
    this.#opener = new SessionOpener({
      driver,
      fork: () => this.#orm.em.fork({ useContext: false }),
      current: this.#current,
      open: this.#openSessions,
      clock,
      closed: this.#closed.signal,
      logger,
      observer: new StatementLog(logger, options.slowStatementMs),
      defaultTimeoutMs: options.session.timeoutMs,
      cancelGraceMs: options.session.cancelGraceMs,
      retry: this.#retry,
      targetOf: given => this.#targetOf(given),
    });
    this.#units = new UnitRunner({
      retry: this.#retry,
      telemetry: parts.telemetry,
      metrics: this.#metrics,
      logger,
      clock,
      targetOf: given => this.#targetOf(given),
      enter: () => this.#enter(),
      deadlineOf: given => this.#opener.deadlineOf(given),
      open: (given, deadline, attempt) => this.#whenOpen(() => this.#opener.open(given, deadline, attempt)),
      onWell: () => this.#seenWell(),
      onDown: cause => this.#seenDown(cause),
    });
    this.#healing = new Healing({ ping: signal => driver.ping(signal), clock, onHealed: () => this.#seenWell() });
    this.#batches = new Batches({
      session: (work, given) => this.session(work, given),
      current: this.#current,
      capabilities: driver.capabilities,
      clock,
      logger,
      timeoutMs: options.batch.timeoutMs,
    });
    this.#migrations = new Migrations({
      orm: this.#orm,
      driver,
      clock,
      names: parts.models.flatMap(model => (model.migrations ?? []).map(({ name }) => name)),
      ...options.migrations,
    });
    driver.onLost(cause => this.#seenDown(cause));
    this.#state.onChange((now, before) => this.#announce(now, before));
  }

  get state(): DatabaseState {
    return this.#state.current;
  }

  get address(): string | undefined {
    return addressOf(this.#parts.driver);
  }

  get capabilities(): ReadonlySet<DatabaseCapability> {
    return this.#parts.driver.capabilities;
  }

  onStateChange(listener: StateListener): Disposable {
    return this.#state.onChange(listener);
  }

  connect(): Promise<void> {
    if (this.state.is === 'closed') return Promise.reject(new DatabaseClosedError());
    if (this.state.is === 'connected' || this.state.is === 'error') return Promise.resolve();
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async session<T>(work: SessionWork<T>, options: SessionOptions = {}): Promise<T> {
    const outer = this.#around();
    if (outer === undefined) return this.#units.run(work, options);
    if (isRehearsal(outer)) return this.#inSavepoint(outer, work);
    if (options.nested === 'separate') {
      this.#assertSecondConnection(outer);
      return this.#units.run(work, options);
    }
    return options.nested === 'savepoint' ? this.#inSavepoint(outer, work) : this.#joined(outer, work);
  }

  transaction<T>(work: SessionWork<T>, options: SessionOptions = {}): Promise<T> {
    return this.session(work, { nested: 'savepoint', ...options });
  }

  async read<T>(work: SessionWork<T>, options: Omit<SessionOptions, 'readOnly'> = {}): Promise<T> {
    const outer = this.#around();
    const joins = (options.nested ?? 'join') === 'join';
    const end = joins ? outer?.beginRead() : undefined;
    try {
      return await this.session(work, { name: 'read', ...options, readOnly: true });
    } finally {
      end?.();
    }
  }

  batch<Item>(items: BatchSource<Item>, work: BatchWork<Item>, options?: BatchOptions): Promise<BatchProgress> {
    return this.#batches.run(items, work, options);
  }

  bulkInsert<Entity extends object>(
    entity: EntityName<Entity>,
    rows: BatchSource<RequiredEntityData<Entity>>,
    options?: BatchOptions,
  ): Promise<BatchProgress> {
    return this.#batches.insert(entity, rows, options);
  }

  async openSession(options: OpenSessionOptions = {}): Promise<DatabaseSession> {
    const outer = this.#around();
    if (outer !== undefined) this.#assertSecondConnection(outer);
    this.#assertAdmits();
    return this.#whenOpen(() => this.#opener.openOnce(options));
  }

  currentSession(): DatabaseSession | undefined {
    return this.#current.get();
  }

  async health(signal: AbortSignal = AbortSignal.timeout(2_000)): Promise<HealthResult> {
    const { driver, clock, telemetry } = this.#parts;
    const startedAt = clock.now();
    try {
      await telemetry.suppress(() => driver.ping(signal));
      this.#seenWell();
      return answered(driver, this.state, clock.now() - startedAt);
    } catch (error) {
      return unanswered(driver, this.state, error);
    }
  }

  stats(): PoolStats {
    return this.#parts.driver.stats();
  }

  suspend(): void {
    this.#parts.driver.suspend();
  }

  resume(): void {
    this.#openSessions.reopen();
    this.#parts.driver.resume();
  }

  renewConnections(): void {
    this.#parts.driver.renew();
  }

  drain(deadline: Deadline): Promise<boolean> {
    return this.#openSessions.drain(deadline);
  }

  migrations(): Promise<MigrationStatus> {
    return this.#migrations.status();
  }

  migrate({ to }: { readonly to?: string } = {}): Promise<readonly string[]> {
    return this.#migrations.up(to);
  }

  revert(): Promise<string | undefined> {
    return this.#migrations.down();
  }

  draftMigration(): Promise<readonly string[]> {
    return draftMigration(this.#orm, this.#parts.options.migrations.timeoutMs);
  }

  validateSchema(): Promise<SchemaReport> {
    const { migrations } = this.#parts.options;
    return validateSchema({ orm: this.#orm, timeoutMs: migrations.timeoutMs });
  }

  disconnect(deadline?: Deadline): Promise<void> {
    this.#disconnecting ??= this.#disconnect(deadline);
    return this.#disconnecting;
  }

  async #connect(): Promise<void> {
    const { driver, clock, logger, options, retry, target } = this.#parts;
    retry.declareTarget?.(target);
    if (driver.hasReplicas === true) retry.declareTarget?.(replicaTarget(target));
    try {
      await connectWithin({
        driver,
        clock,
        logger,
        timeoutMs: options.connect.timeoutMs,
        signal: this.#stopping.signal,
        onAttempt: attempt => this.#state.move({ is: 'connecting', attempt }),
      });
      this.#state.move({ is: 'connected', since: clock.date() });
    } catch (error) {
      if (this.state.is === 'connecting') this.#state.move({ is: 'disconnected' });
      throw this.#stopping.signal.aborted ? new DatabaseClosedError() : error;
    }
  }

  async #disconnect(deadline?: Deadline): Promise<void> {
    const { driver, clock, options, logger } = this.#parts;
    this.#healing.stop();
    this.#metrics.close();
    this.#stopping.abort(new DatabaseClosedError());
    this.#retry.stop(new DatabaseClosedError());
    if (this.state.is !== 'closed') this.#state.move({ is: 'closed' });
    await driver.close(deadline ?? Deadline.after(options.closeTimeoutMs, clock));
    this.#closed.abort(new DatabaseClosedError());
    await this.#orm.close(true).catch((error: unknown) => logger.warn('closing the ORM failed', { error }));
  }

  #assertAdmits(): void {
    if (this.state.is === 'closed' || this.#openSessions.draining) throw new DatabaseClosedError();
  }

  /** A unit that has begun goes on while the service drains, through all its attempts. */
  #enter(): () => void {
    this.#assertAdmits();
    return this.#openSessions.enter();
  }

  /** Reads that a replica may answer do not depend on the server that takes writes, so neither may its breaker hold them. */
  #targetOf(options: OpenSessionOptions): SessionTarget {
    const { driver, target } = this.#parts;
    const elsewhere = driver.hasReplicas === true && mayBeElsewhere(options);
    return { name: elsewhere ? replicaTarget(target) : target, elsewhere };
  }

  async #whenOpen(open: () => Promise<UnitSession>): Promise<UnitSession> {
    if (this.state.is === 'closed') throw new DatabaseClosedError();
    if (this.state.is === 'disconnected' || this.state.is === 'connecting') throw notConnected(this.state.is);
    return open();
  }

  /** Part of the outer unit: neither committed nor rolled back here, and a failure in it is a failure of the whole. */
  async #joined<T>(outer: UnitSession, work: SessionWork<T>): Promise<T> {
    try {
      return await work(outer.em, outer);
    } catch (error) {
      const told = outer.told(error);
      outer.markRollbackOnly(told);
      throw told;
    }
  }

  /** MikroORM forks the EntityManager for it and merges it back when it succeeds. */
  async #inSavepoint<T>(outer: UnitSession, work: SessionWork<T>): Promise<T> {
    try {
      return await outer.em.transactional(em => work(em, outer));
    } catch (error) {
      throw outer.told(error);
    }
  }

  /** The session that the caller runs in; one that has ended is no session to be part of. */
  #around(): UnitSession | undefined {
    const session = this.#current.get();
    return session?.state === 'open' ? session : undefined;
  }

  /** With one connection in all, a session inside one that holds it would wait for itself. */
  #assertSecondConnection(outer: UnitSession): void {
    const { driver } = this.#parts;
    if (outer.transaction.holdsConnection && !driver.capabilities.has('multi-connection')) {
      throw new UnsupportedError({ driver: driver.name, capability: 'multi-connection' });
    }
  }

  /** A lost connection may be one backend that was ended; only a server that does not answer is lost. */
  #seenDown(cause: unknown): void {
    if (this.state.is !== 'connected' || this.#verifying) return;
    this.#verifying = true;
    void this.#healing.ask().then(answered => {
      this.#verifying = false;
      if (answered || this.state.is !== 'connected') return;
      this.#state.move({ is: 'error', since: this.#parts.clock.date(), cause: causeOf(cause) });
      this.#healing.start();
    });
  }

  #seenWell(): void {
    if (this.state.is !== 'error') return;
    this.#healing.stop();
    this.#state.move({ is: 'connected', since: this.#parts.clock.date() });
  }

  #announce(now: DatabaseState, before: DatabaseState): void {
    const { logger, driver } = this.#parts;
    if (now.is === 'connecting') return;
    const facts = { driver: driver.name, state: now.is, before: before.is };
    if (now.is === 'error') logger.error('database lost', { ...facts, ...faultFacts(now.cause) });
    else logger.info(now.is === 'connected' ? 'database connected' : 'database disconnected', facts);
  }
}

/** Reads that a replica may answer; a part of `target`, whose policy it has unless it is given one of its own. */
function replicaTarget(target: string): string {
  return `${target}.replica`;
}
