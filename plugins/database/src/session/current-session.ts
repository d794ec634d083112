import { AsyncLocalStorage } from 'node:async_hooks';

/** Which session the running code is in; one for each DatabaseService. */
export class CurrentSession<Session> {
  readonly #storage = new AsyncLocalStorage<Session | undefined>();

  get(): Session | undefined {
    return this.#storage.getStore();
  }

  /** What `work` begins, now or later, is in no session. */
  outside<T>(work: () => T): T {
    return this.#storage.run(undefined, work);
  }

  run<T>(session: Session | undefined, work: () => T): T {
    return this.#storage.run(session, work);
  }
}
