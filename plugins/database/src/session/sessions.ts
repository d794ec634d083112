import type { Deadline } from '@keelson/core';
import type { Connectivity } from '../connectivity.js';
import { DatabaseClosedError } from '../errors/connection-error.js';
import { UnsupportedError } from '../errors/session-errors.js';
import { mayUseReplica } from '../transaction/transaction-settings.js';
import { abortInTime } from './abort-in-time.js';
import type {
  LateSessionOptions,
  OpenSessionOptions,
  SessionOnDemand,
  SessionOptions,
  SessionWork,
} from './database-session.js';
import { LateSession } from './late-session.js';
import { assertFits, assertIdentityFits } from './nested-options.js';
import { OnDemand } from './on-demand.js';
import { OpenSessions } from './open-sessions.js';
import { SessionOpener } from './session-opener.js';
import type { SessionParts, SessionTarget } from './session-parts.js';
import { isTrial } from './trial.js';
import { UnitRunner } from './unit-runner.js';
import type { UnitSession } from './unit-session.js';

export interface SessionsParts extends SessionParts {
  readonly connectivity: Connectivity;
  /** What the retry policy calls the database. */
  readonly target: string;
}

/** The sessions of one service: units that are run, sessions that are opened, and those inside another. */
export class Sessions {
  readonly #parts: SessionsParts;
  readonly #open: OpenSessions;
  readonly #opener: SessionOpener;
  readonly #units: UnitRunner;
  readonly #closed = new AbortController();

  constructor(parts: SessionsParts) {
    const { connectivity } = parts;
    const targetOf = (options: OpenSessionOptions) => this.#targetOf(options);
    this.#parts = parts;
    this.#open = new OpenSessions(parts.clock);
    this.#opener = new SessionOpener({ ...parts, open: this.#open, closed: this.#closed.signal, targetOf });
    this.#units = new UnitRunner({
      ...parts,
      targetOf,
      enter: () => this.#enter(),
      deadlineOf: options => this.#opener.deadlineOf(options),
      open: (options, deadline, attempt, trace) =>
        this.#whenConnected(() => this.#opener.open(options, deadline, attempt, trace)),
      onWell: () => connectivity.seenWell(),
      onDown: cause => connectivity.seenDown(cause),
    });
  }

  async run<T>(work: SessionWork<T>, options: SessionOptions): Promise<T> {
    const outer = options.nested === 'separate' ? this.#aroundOpened() : this.#around();
    if (outer === undefined) return this.#units.run(work, this.#identified(options));
    if (isTrial(outer)) return this.#inTrial(outer, work, options);
    if (options.nested === 'separate') {
      this.#assertSecondConnection(outer);
      return this.#units.run(work, this.#identified(options));
    }
    assertFits(options, outer.settings, this.#parts.driver);
    if (options.retry === 'never') outer.forbidRepeat(neverInside);
    const inside = () => (options.nested === 'savepoint' ? this.#inSavepoint(outer, work) : outer.join(work));
    return this.#inTime(outer, options, inside);
  }

  /**
   * Runs a nested session that has a time limit or a signal of its own. When that ends it, the session around it ends too,
   * because its statements are part of that session.
   */
  #inTime<T>(outer: UnitSession, options: SessionOptions, inside: () => Promise<T>): Promise<T> {
    const { name = 'session', deadline, timeoutMs, signal } = options;
    if (deadline === undefined && timeoutMs === undefined && signal === undefined) return inside();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const limits = { name, signal, deadline: this.#opener.deadlineOf(options) };
    let isOver = false;
    const stopWatching = abortInTime(limits, this.#parts.clock, by => {
      isOver = true;
      outer.abort(by);
      reject(by);
    });
    if (!isOver) inside().then(resolve, reject);
    return promise.finally(stopWatching);
  }

  /** A read that joins a session keeps the end of that session from overtaking it. */
  async read<T>(work: SessionWork<T>, options: SessionOptions): Promise<T> {
    const joins = (options.nested ?? 'join') === 'join';
    const end = joins ? this.#around()?.beginRead() : undefined;
    try {
      return await this.run(work, { name: 'read', ...options, readOnly: true });
    } finally {
      end?.();
    }
  }

  async openOnce(options: OpenSessionOptions): Promise<UnitSession> {
    const outer = this.#aroundOpened();
    if (outer !== undefined) this.#assertSecondConnection(outer);
    this.#assertAdmits();
    this.#parts.connectivity.assertConnected();
    const identified = this.#identified(options);
    return this.#parts.isBeginObserved() ? this.#opener.openOnce(identified) : this.#opener.openOnceNow(identified);
  }

  /** Its time begins now. It counts among the open ones until it is closed, so that a drain waits for it. */
  async onDemand(given: OpenSessionOptions, whenUsed?: () => LateSessionOptions): Promise<SessionOnDemand> {
    const { current, connectivity } = this.#parts;
    const opener = this.#opener;
    const outer = this.#aroundOpened();
    if (outer !== undefined) this.#assertSecondConnection(outer);
    const early = this.#identified(given);
    const late = whenUsed && onceFound(() => ({ ...early, ...whenUsed() }));
    const deadline = opener.deadlineOf(given);
    const id = opener.nextId();
    const leave = this.#open.draining ? undefined : this.#open.enter();
    const admitted = <T>(open: () => T): T => {
      if (leave === undefined) this.#assertAdmits();
      connectivity.assertConnected();
      return current.outside(open);
    };
    const identity = late === undefined ? early.session : () => late().session;
    const parts = { id, name: given.name ?? 'session', current, identity, onClose: () => leave?.() };
    if (!this.#parts.isBeginObserved()) {
      return new LateSession(parts, () => admitted(() => opener.openOnceNow(late?.() ?? early, deadline, id)));
    }
    try {
      const opened = await admitted(() => opener.openOnce(late?.() ?? early, deadline, id));
      const session = new LateSession(parts, () => opened);
      session.open();
      return session;
    } catch (error) {
      leave?.();
      throw error;
    }
  }

  drain(deadline: Deadline): Promise<boolean> {
    return this.#open.drain(deadline);
  }

  /** Admits sessions again after `drain`. */
  reopen(): void {
    this.#open.reopen();
  }

  /** From now on the server is not asked what became of a COMMIT. */
  closed(): void {
    this.#closed.abort(new DatabaseClosedError());
  }

  #assertAdmits(): void {
    if (this.#parts.connectivity.state.is === 'closed' || this.#open.draining) throw new DatabaseClosedError();
  }

  /** A unit that has begun goes on while the service drains, through all its attempts. */
  #enter(): () => void {
    this.#assertAdmits();
    return this.#open.enter();
  }

  async #whenConnected(open: () => Promise<UnitSession>): Promise<UnitSession> {
    this.#parts.connectivity.assertConnected();
    return open();
  }

  /** Reads that a replica may answer do not depend on the server that takes writes, so neither may its breaker hold them. */
  #targetOf(options: OpenSessionOptions): SessionTarget {
    const { driver, target } = this.#parts;
    const viaReplicas = driver.hasReplicas === true && mayUseReplica(options);
    return { name: viaReplicas ? replicaTarget(target) : target, viaReplicas };
  }

  /** A session inside another, or one that outlives it, works for the same tenant unless it says otherwise. */
  #identified<Options extends OpenSessionOptions>(options: Options): Options {
    if (options.session !== undefined) return options;
    const around = this.#parts.current.found();
    if (around === undefined) return options;
    const session = around instanceof OnDemand ? around.identity : around.settings.identity;
    return session === undefined ? options : { ...options, session };
  }

  /** Whatever else it asks for, a trial has one transaction; the work of another tenant would see the wrong rows in it. */
  async #inTrial<T>(outer: UnitSession, work: SessionWork<T>, { session }: SessionOptions): Promise<T> {
    if (session !== undefined) assertIdentityFits(session, outer.settings);
    return this.#inSavepoint(outer, work);
  }

  /** MikroORM forks the EntityManager for it and merges it back when it succeeds. */
  async #inSavepoint<T>(outer: UnitSession, work: SessionWork<T>): Promise<T> {
    try {
      return await outer.em.transactional(em => work(em, outer));
    } catch (error) {
      throw outer.translated(error);
    }
  }

  /** The session that the caller runs in; one that ends, or has ended, is no session to be part of. */
  #around(): UnitSession | undefined {
    return admitting(this.#parts.current.get());
  }

  /** The same for what stays beside it: one on demand is not opened for that. */
  #aroundOpened(): UnitSession | undefined {
    return admitting(this.#parts.current.opened());
  }

  /** What is asked for beside the session of the caller would wait for it. */
  assertSecondConnection(): void {
    const outer = this.#aroundOpened();
    if (outer !== undefined) this.#assertSecondConnection(outer);
  }

  /** With one connection in all, a session inside one that holds it would wait for itself. */
  #assertSecondConnection(outer: UnitSession): void {
    const { driver } = this.#parts;
    if (outer.transaction.holdsConnection && !driver.capabilities.has('multi-connection')) {
      throw new UnsupportedError({ driver: driver.name, capability: 'multi-connection' });
    }
  }
}

const neverInside = "safe to repeat, but a session inside it said { retry: 'never' }";

/** Asked when it is first needed, and once unless it throws. */
function onceFound<T extends object>(find: () => T): () => T {
  let found: T | undefined;
  return () => {
    found ??= find();
    return found;
  };
}

function admitting(session: UnitSession | undefined): UnitSession | undefined {
  return session?.admits === true ? session : undefined;
}

/** Reads that a replica may answer; a part of `target`, whose policy it has unless it is given one of its own. */
export function replicaTarget(target: string): string {
  return `${target}.replica`;
}
