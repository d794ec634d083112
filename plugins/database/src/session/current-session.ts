import { AsyncLocalStorage } from 'node:async_hooks';
import { OnDemand } from './on-demand.js';

/** Which session the running code is in; one for each DatabaseService. */
export class CurrentSession<Session> {
  readonly #storage = new AsyncLocalStorage<Session | OnDemand<Session> | undefined>();

  /** Opens it when it is one on demand. */
  get(): Session | undefined {
    const found = this.#storage.getStore();
    return found instanceof OnDemand ? found.use() : found;
  }

  /** Leaves one on demand as it is. */
  opened(): Session | undefined {
    const found = this.#storage.getStore();
    return found instanceof OnDemand ? found.opened : found;
  }

  /** What `work` begins, now or later, is in no session. */
  outside<T>(work: () => T): T {
    return this.#storage.run(undefined, work);
  }

  run<T>(session: Session | OnDemand<Session> | undefined, work: () => T): T {
    return this.#storage.run(session, work);
  }
}
