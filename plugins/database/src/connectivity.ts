import { type Clock, Deadline, type Facts, type HealthResult, type Logger, type Telemetry } from '@keelson/core';
import { connectWithin } from './connect.js';
import type { DatabaseDriver } from './driver/driver.js';
import { engineFacts } from './driver/engine.js';
import { causeOf, DatabaseClosedError, faultFacts, notConnected } from './errors/connection-error.js';
import { Healing } from './healing.js';
import { answered, unanswered } from './health.js';
import { type DatabaseState, type StateListener, StateMachine } from './state.js';

export interface ConnectivityParts {
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly connectTimeoutMs: number;
  /** What else is to be done before there may be sessions. */
  readonly prepare?: (deadline: Deadline, signal: AbortSignal) => Promise<void>;
}

/** How the service stands to its server: connects, notices when it is away and when it is back, and says so. */
export class Connectivity {
  readonly #parts: ConnectivityParts;
  readonly #state = new StateMachine();
  readonly #healing: Healing;
  readonly #stopping = new AbortController();
  #verifying = false;
  #connecting: Promise<void> | undefined;

  constructor(parts: ConnectivityParts) {
    const { driver, clock } = parts;
    this.#parts = parts;
    this.#healing = new Healing({ ping: signal => driver.ping(signal), clock, onHealed: () => this.seenWell() });
    driver.onLost(cause => this.seenDown(cause));
    this.#state.onChange((now, before) => this.#announce(now, before));
  }

  get state(): DatabaseState {
    return this.#state.current;
  }

  onChange(listener: StateListener): Disposable {
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

  /** Throws when no session can be opened. */
  assertConnected(): void {
    const { is } = this.state;
    if (is === 'closed') throw new DatabaseClosedError();
    if (is === 'disconnected' || is === 'connecting') throw notConnected(is);
  }

  /** One round trip, on a connection of its own. Never rejects. */
  async health(signal: AbortSignal): Promise<HealthResult> {
    const { driver, clock, telemetry } = this.#parts;
    const startedAt = clock.now();
    try {
      await telemetry.suppress(() => driver.ping(signal));
      this.seenWell();
      return answered(driver, this.state, clock.now() - startedAt);
    } catch (error) {
      return unanswered(driver, this.state, error);
    }
  }

  /** A lost connection may be one backend that was ended; only a server that does not answer is lost. */
  seenDown(cause: unknown): void {
    if (this.state.is !== 'connected' || this.#verifying) return;
    this.#verifying = true;
    void this.#healing.ask().then(isThere => {
      this.#verifying = false;
      if (isThere || this.state.is !== 'connected') return;
      this.#state.move({ is: 'error', since: this.#parts.clock.date(), cause: causeOf(cause) });
      this.#healing.start();
    });
  }

  seenWell(): void {
    if (this.state.is !== 'error') return;
    this.#healing.stop();
    this.#state.move({ is: 'connected', since: this.#parts.clock.date() });
  }

  /** Final: from now on connecting, and asking for a session, is refused. */
  close(): void {
    this.#healing.stop();
    this.#stopping.abort(new DatabaseClosedError());
    if (this.state.is !== 'closed') this.#state.move({ is: 'closed' });
  }

  async #connect(): Promise<void> {
    const { driver, clock, logger, connectTimeoutMs, prepare } = this.#parts;
    const deadline = Deadline.after(connectTimeoutMs, clock);
    const { signal } = this.#stopping;
    try {
      await connectWithin({
        driver,
        clock,
        logger,
        timeoutMs: connectTimeoutMs,
        signal,
        onAttempt: attempt => {
          if (attempt > 1) this.#note('the database is tried again', 'warn', { attempt });
          this.#state.move({ is: 'connecting', attempt });
        },
      });
      await prepare?.(deadline, signal);
      this.#state.move({ is: 'connected', since: clock.date() });
      logger.info('database engine found', engineFacts(driver.engine));
    } catch (error) {
      if (this.state.is === 'connecting') this.#state.move({ is: 'disconnected' });
      throw signal.aborted ? new DatabaseClosedError() : error;
    }
  }

  #announce(now: DatabaseState, before: DatabaseState): void {
    const { logger, driver } = this.#parts;
    if (now.is === 'connecting') return;
    const facts = { driver: driver.name, state: now.is, before: before.is };
    if (now.is === 'error') this.#note('the database was lost', 'error', faultFacts(now.cause));
    else this.#note(`the database is ${now.is}`, 'info', { before: before.is });
    if (now.is === 'error') logger.error('database lost', { ...facts, ...faultFacts(now.cause) });
    else logger.info(now.is === 'connected' ? 'database connected' : 'database disconnected', facts);
  }

  /** For the errors that follow, whichever request they are of. */
  #note(message: string, level: 'info' | 'warn' | 'error', facts: Facts): void {
    const { telemetry, driver } = this.#parts;
    if (!telemetry.enabled) return;
    const named = { ...facts, database: driver.databaseName };
    telemetry.breadcrumb({ category: 'database.state', message, level, facts: named, processWide: true });
  }
}
