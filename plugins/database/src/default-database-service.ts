import {
  type Clock,
  currentDeadline,
  Deadline,
  type Facts,
  type HealthResult,
  type Logger,
  type Metrics,
  type RetryPolicy,
  runWithDeadline,
  type Telemetry,
} from '@keelson/core';
import type { EntityName, RequiredEntityData } from '@mikro-orm/core';
import { addressOf } from './address.js';
import type { BatchOptions, BatchProgress, BatchSource, BatchWork } from './batch/batch-options.js';
import { Batches } from './batch/batches.js';
import { Connectivity } from './connectivity.js';
import type { DatabaseService } from './database-service.js';
import { assertAble } from './driver/assert-able.js';
import type { DatabaseDriver, PoolStats } from './driver/driver.js';
import { keepDriver } from './driver/driver-of.js';
import type { DatabaseCapability, Engine } from './driver/engine.js';
import { type LoanObserver, markedDriver } from './driver/marked-driver.js';
import { DatabaseClosedError } from './errors/connection-error.js';
import { translate } from './errors/translate.js';
import { withListening } from './health.js';
import type {
  ChannelHandler,
  ListeningStats,
  ListenOptions,
  ListenSchemaOptions,
  Subscription,
} from './listening/listen-options.js';
import { ListeningOnDemand } from './listening/listening-on-demand.js';
import { DatabaseMetrics } from './metrics.js';
import type { MigrationStatus } from './migrations/migration-table.js';
import { SchemaTasks } from './migrations/schema-tasks.js';
import type { DatabaseModel } from './model.js';
import type { CommonDatabaseOptions } from './options.js';
import { isBeginObserved } from './orm/begin-at-once.js';
import { ClearWatch } from './orm/clear-watch.js';
import { GuardedDirectConnections } from './orm/direct-connections.js';
import { createOrm, forkOf, type Orm, type OrmDriver } from './orm/orm.js';
import { createDialect } from './orm/session-driver.js';
import type { CommitProofName } from './proof/choices.js';
import { ChosenProof } from './proof/chosen-proof.js';
import { StoppableRetryPolicy } from './retry/stoppable-retry-policy.js';
import type { SchemaReport } from './schema/schema-report.js';
import { CurrentSession } from './session/current-session.js';
import type {
  DatabaseSession,
  LateSessionOptions,
  OpenSessionOptions,
  SessionOnDemand,
  SessionOptions,
  SessionWork,
} from './session/database-session.js';
import { replicaTarget, Sessions } from './session/sessions.js';
import type { UnitSession } from './session/unit-session.js';
import type { DatabaseState, StateListener } from './state.js';
import { isProduction } from './statements/is-production.js';
import type { NotedStatements } from './statements/noted-statements.js';
import { StatementLog, type StatementReport } from './statements/statement-log.js';

export interface DatabaseServiceParts {
  readonly driver: DatabaseDriver;
  readonly ormDriver: OrmDriver;
  readonly models: readonly DatabaseModel[];
  readonly options: CommonDatabaseOptions;
  readonly retry: RetryPolicy;
  readonly telemetry: Telemetry;
  /** Default: no measurements. */
  readonly metrics?: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** What breaker, spans and metrics call it: `database`, `database/reporting`. */
  readonly target: string;
  /**
   * In `production` and `prod`, a statement that repeats in one session is counted but not logged. So it is in any
   * environment when NODE_ENV is `production`.
   */
  readonly environment?: string | undefined;
}

/** Makes the service over a driver. Connects to nothing. */
export function createDatabaseService(parts: DatabaseServiceParts): DatabaseService & WithNotedStatements {
  return new DefaultDatabaseService(parts);
}

/** The statements that stood out, for the operator. */
export interface WithNotedStatements {
  readonly notedStatements: NotedStatements;
}

class DefaultDatabaseService implements DatabaseService, WithNotedStatements {
  readonly #parts: DatabaseServiceParts;
  readonly #current = new CurrentSession<UnitSession>();
  readonly #proof: ChosenProof;
  readonly #connectivity: Connectivity;
  /** Undefined where nothing is measured. */
  readonly #metrics: DatabaseMetrics | undefined;
  readonly #loans: LoanObserver | undefined;
  readonly #retry: StoppableRetryPolicy;
  readonly #orm: Orm;
  readonly #sessions: Sessions;
  readonly #batches: Batches;
  readonly #statements: StatementLog;
  readonly #schema: SchemaTasks;
  readonly #listening: ListeningOnDemand;
  #disconnecting: Promise<void> | undefined;
  /** What is sent with each error that is reported. */
  #attached: Disposable | undefined;
  /** Connected to look, not to work. */
  #isAsIs = false;

  constructor(given: DatabaseServiceParts) {
    const parts = { ...given, driver: markedDriver(given.driver, () => this.#loans) };
    const { driver, clock, logger, telemetry, options, models } = parts;
    this.#parts = parts;
    keepDriver(this, driver);
    this.#proof = new ChosenProof({
      driver,
      clock,
      logger,
      choice: options.commitProof,
      tokens: options.commitTokens,
    });
    this.#connectivity = new Connectivity({
      driver,
      clock,
      logger,
      telemetry,
      connectTimeoutMs: options.connect.timeoutMs,
      prepare: (deadline, signal) => this.#prepare(deadline, signal),
    });
    this.#metrics = this.#measured(parts);
    this.#loans = this.#metrics && loansOf(this.#metrics, clock);
    this.#retry = new StoppableRetryPolicy(parts.retry, [parts.target, replicaTarget(parts.target)]);
    this.#orm = createOrm({
      ormDriver: parts.ormDriver,
      dialect: createDialect(new GuardedDirectConnections(driver, clock, () => this.#current.get()?.state)),
      databaseName: driver.databaseName,
      models,
      currentEntityManager: () => this.#current.get()?.em,
    });
    this.#statements = new StatementLog(logger, {
      slowStatements: options.slowStatements,
      repeatedStatements: options.repeatedStatements,
      isProduction: isProduction(parts.environment),
      onRepeated: session => this.#metrics?.repeated(session),
    });
    this.#sessions = new Sessions({
      driver,
      proof: this.#proof,
      fork: identity => forkOf(this.#orm, identity),
      clears: new ClearWatch(logger),
      isBeginObserved: () => isBeginObserved(this.#orm.em),
      isObserved: () => this.#orm.em.getEventManager().getSubscribers().size > 0,
      current: this.#current,
      connectivity: this.#connectivity,
      retry: this.#retry,
      telemetry,
      tracesStatements: options.traceStatements,
      shapeOf: sql => this.#statements.noted.shapeOf(sql),
      metrics: this.#metrics,
      logger,
      clock,
      observer: this.#statements,
      defaultTimeoutMs: options.session.timeoutMs,
      cancelGraceMs: options.session.cancelGraceMs,
      target: parts.target,
    });
    this.#schema = new SchemaTasks({ orm: this.#orm, driver, clock, models, options });
    this.#listening = new ListeningOnDemand({ ...parts, outside: work => this.outside(work) });
    if (telemetry.enabled) this.#attached = telemetry.attachFacts(parts.target, () => this.#factsOfErrors());
    this.#batches = new Batches({
      session: (work, given) => this.session(work, given),
      current: this.#current,
      driver,
      clock,
      logger,
      timeoutMs: options.batch.timeoutMs,
    });
  }

  get state(): DatabaseState {
    return this.#connectivity.state;
  }

  get address(): string | undefined {
    return addressOf(this.#parts.driver);
  }

  get engine(): Engine {
    return this.#parts.driver.engine;
  }

  get capabilities(): ReadonlySet<DatabaseCapability> {
    return this.#parts.driver.capabilities;
  }

  get commitProof(): CommitProofName {
    return this.#proof.name;
  }

  onStateChange(listener: StateListener): Disposable {
    return this.#connectivity.onChange((now, before) => this.outside(() => listener(now, before)));
  }

  connect({ asIs = false }: { readonly asIs?: boolean } = {}): Promise<void> {
    this.#isAsIs = asIs;
    if (this.state.is === 'disconnected') this.#declareTargets();
    return this.#connectivity.connect();
  }

  session<T>(work: SessionWork<T>, options: SessionOptions = {}): Promise<T> {
    return this.#sessions.run(work, options);
  }

  transaction<T>(work: SessionWork<T>, options: SessionOptions = {}): Promise<T> {
    return this.session(work, { nested: 'savepoint', ...options });
  }

  read<T>(work: SessionWork<T>, options: Omit<SessionOptions, 'readOnly'> = {}): Promise<T> {
    return this.#sessions.read(work, options);
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

  openSession(options: OpenSessionOptions = {}): Promise<DatabaseSession> {
    return this.#sessions.openOnce(options);
  }

  sessionOnDemand(options: OpenSessionOptions = {}, whenUsed?: () => LateSessionOptions): Promise<SessionOnDemand> {
    return this.#sessions.onDemand(options, whenUsed);
  }

  outside<T>(work: () => T): T {
    return this.#current.outside(() => (currentDeadline() === undefined ? work() : runWithDeadline(undefined, work)));
  }

  currentSession(): DatabaseSession | undefined {
    return this.#current.get();
  }

  async listen<Payload>(
    channel: string,
    handler: ChannelHandler<Payload>,
    options: ListenOptions & Partial<ListenSchemaOptions<Payload>> = {},
  ): Promise<Subscription> {
    this.#connectivity.assertConnected();
    assertAble(this.#parts.driver, 'listen');
    this.#sessions.assertSecondConnection();
    const listening = await this.#listening.load();
    // Its events carry what its own schema returns, or texts.
    return listening.listen(channel, handler as ChannelHandler<unknown>, options);
  }

  get listening(): ListeningStats | undefined {
    return this.#listening.stats();
  }

  pauseListening(deadline: Deadline): Promise<boolean> {
    return this.#listening.pause(deadline);
  }

  async health(signal: AbortSignal = AbortSignal.timeout(2_000)): Promise<HealthResult> {
    return withListening(await this.#connectivity.health(signal), this.listening);
  }

  onStatement(listener: (report: StatementReport) => void): Disposable {
    return this.#statements.listen(listener);
  }

  get notedStatements(): NotedStatements {
    return this.#statements.noted;
  }

  stats(): PoolStats {
    return this.#parts.driver.stats();
  }

  suspend(): void {
    this.#parts.driver.suspend();
  }

  resume(): void {
    this.#sessions.reopen();
    this.#parts.driver.resume();
    this.#listening.resume();
  }

  renewConnections(): void {
    this.#parts.driver.renew();
  }

  async drain(deadline: Deadline): Promise<boolean> {
    // Their handlers need sessions.
    const haveReturned = !this.#listening.isUsed || (await this.#listening.pause(deadline));
    return (await this.#sessions.drain(deadline)) && haveReturned;
  }

  migrations(): Promise<MigrationStatus> {
    return this.#schema.status();
  }

  migrate({ to }: { readonly to?: string } = {}): Promise<readonly string[]> {
    return this.#schema.migrate(to);
  }

  revert(): Promise<string | undefined> {
    return this.#schema.revert();
  }

  draftMigration(): Promise<readonly string[]> {
    return this.#schema.draftMigration();
  }

  validateSchema(): Promise<SchemaReport> {
    return this.#schema.validate();
  }

  disconnect(deadline?: Deadline): Promise<void> {
    this.#disconnecting ??= this.#disconnect(deadline);
    return this.#disconnecting;
  }

  async #prepare(deadline: Deadline, signal: AbortSignal): Promise<void> {
    await this.#proof.prepare(deadline, signal, { asIs: this.#isAsIs }).catch((error: unknown) => {
      throw translate(error);
    });
  }

  #factsOfErrors(): Facts {
    const { total, idle, busy, waiting, max } = this.stats();
    return { state: this.state.is, pool: { total, idle, busy, waiting, max } };
  }

  #measured({ metrics, target, driver }: DatabaseServiceParts): DatabaseMetrics | undefined {
    if (metrics === undefined || metrics.silent === true) return undefined;
    const { hosts } = driver;
    return new DatabaseMetrics(metrics, target, {
      stats: () => driver.stats(),
      state: () => this.state.is,
      ...(hosts !== undefined && { hosts: () => hosts() }),
    });
  }

  #declareTargets(): void {
    const { driver, retry, target } = this.#parts;
    retry.declareTarget?.(target);
    if (driver.hasReplicas === true) retry.declareTarget?.(replicaTarget(target));
  }

  async #disconnect(deadline?: Deadline): Promise<void> {
    const { driver, clock, options, logger } = this.#parts;
    this.#metrics?.close();
    this.#attached?.[Symbol.dispose]();
    this.#proof.stop();
    this.#retry.stop(new DatabaseClosedError());
    this.#connectivity.close();
    const until = deadline ?? Deadline.after(options.closeTimeoutMs, clock);
    // Handlers that run may end their sessions.
    await this.#listening.close(until);
    await driver.close(until);
    this.#sessions.closed();
    await this.#orm.close(true).catch((error: unknown) => logger.warn('closing the ORM failed', { error }));
  }
}

function loansOf(metrics: DatabaseMetrics, clock: Clock): LoanObserver {
  return { clock, waited: ms => metrics.waited(ms), used: ms => metrics.used(ms) };
}
