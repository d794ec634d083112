import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import { KeelsonError, type RequestSessionOptions } from '@keelson/core';
import type { EntityManager } from '@keelson/database/contract';
import type { OpenedSession, RequestSession, RequestSessions, SessionSettings } from './request-sessions.js';
import { currentSession } from './request-sessions.js';

/** A handler that uses the session of its request. */
export function using<Request extends IncomingMessage, Rest extends unknown[]>(
  handler: (request: Request, ...rest: Rest) => unknown,
): (request: Request, ...rest: Rest) => unknown {
  return (request, ...rest) => {
    currentSession(request);
    return handler(request, ...rest);
  };
}

/** Sessions without a database: they record calls, and end as the test wants. */
export class RecordedSessions implements RequestSessions {
  readonly events: string[] = [];
  readonly opened: SessionSettings[] = [];
  /** Why sessions were aborted. */
  readonly reasons: unknown[] = [];
  readonly current = new AsyncLocalStorage<RequestSession>();
  /** What opening one throws, if anything. */
  failure: Error | undefined;
  reading: OpenedSession['reading'] = 'no';
  /** How many are not opened any more. */
  closed = 0;
  /** How a commit and a rollback go; at once and well, unless the test says otherwise. */
  commit: () => Promise<void> = async () => {};
  rollback: () => Promise<void> = async () => {};
  #waiting: { event: string; resolve: () => void }[] = [];

  line = { connectedSince: 1, waiting: 0, acquired: 0, waited: 0 };

  pool() {
    return this.line;
  }

  async onDemand(settings: SessionSettings, whenUsed?: () => RequestSessionOptions): Promise<RequestSession> {
    let opened: OpenedSession | undefined;
    let isClosed = false;
    const close = () => {
      if (!isClosed) this.closed++;
      isClosed = true;
    };
    const session: RequestSession = {
      get opened() {
        return opened;
      },
      open: () => {
        if (opened === undefined && isClosed)
          throw new KeelsonError({ code: 'DATABASE_SESSION_CLOSED', message: 'The session has ended.' });
        opened ??= this.#open({ ...settings, ...whenUsed?.() });
        return opened;
      },
      run: work => this.current.run(session, work),
      close,
      abort: reason => {
        close();
        if (opened === undefined) return;
        this.reasons.push(reason);
        this.#record('abort');
      },
    };
    return session;
  }

  #open(settings: SessionSettings): OpenedSession {
    if (this.failure !== undefined) throw this.failure;
    this.opened.push(settings);
    this.#record('open');
    return {
      em: {} as EntityManager,
      reading: this.reading,
      commit: () => this.#end('commit', () => this.commit()),
      rollback: () => this.#end('rollback', () => this.rollback()),
    };
  }

  async unit<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    this.#record('unit');
    return work({} as EntityManager);
  }

  /** Resolves when `event` is in the record. */
  async until(event: string): Promise<void> {
    if (this.events.includes(event)) return;
    await new Promise<void>(resolve => this.#waiting.push({ event, resolve }));
  }

  async #end(what: 'commit' | 'rollback', work: () => Promise<void>): Promise<void> {
    this.#record(what);
    await work();
    this.#record(what === 'commit' ? 'committed' : 'rolled back');
  }

  #record(event: string): void {
    this.events.push(event);
    for (const waiter of this.#waiting) if (waiter.event === event) waiter.resolve();
  }
}
