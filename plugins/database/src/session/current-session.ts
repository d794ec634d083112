import { AsyncLocalStorage } from 'node:async_hooks';
import type { UnitSession } from './unit-session.js';

/** Which session the running code is in; one for each DatabaseService. */
export class CurrentSession {
  readonly #storage = new AsyncLocalStorage<UnitSession | undefined>();

  get(): UnitSession | undefined {
    return this.#storage.getStore();
  }

  run<T>(session: UnitSession | undefined, work: () => T): T {
    return this.#storage.run(session, work);
  }
}
