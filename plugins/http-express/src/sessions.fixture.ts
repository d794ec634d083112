import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityManager } from '@keelson/database/contract';
import type { RequestSession, RequestSessionOptions, RequestSessions } from './request-sessions.js';

/** Sessions without a database: they record calls, and end as the test wants. */
export class RecordedSessions implements RequestSessions {
  readonly events: string[] = [];
  readonly opened: RequestSessionOptions[] = [];
  readonly current = new AsyncLocalStorage<RequestSession>();
  reading: RequestSession['reading'] = 'no';
  /** How a commit and a rollback go; at once and well, unless the test says otherwise. */
  commit: () => Promise<void> = async () => {};
  rollback: () => Promise<void> = async () => {};
  #waiting: { event: string; resolve: () => void }[] = [];

  async open(options: RequestSessionOptions): Promise<RequestSession> {
    this.opened.push(options);
    options.signal.addEventListener('abort', () => this.#record('abort'));
    this.#record('open');
    const session: RequestSession = {
      em: {} as EntityManager,
      reading: this.reading,
      commit: () => this.#end('commit', () => this.commit()),
      rollback: () => this.#end('rollback', () => this.rollback()),
      run: work => this.current.run(session, work),
    };
    return session;
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
