import { ContextValue, type CorrelationContext } from '@keelson/core';
import { OnDemand } from './on-demand.js';

/** Which session the running code is in; one for each DatabaseService. */
export class CurrentSession<Session> {
  readonly #value = new ContextValue<Session | OnDemand<Session>>('keelson.session');

  /** Opens it when it is one on demand. */
  get(): Session | undefined {
    const found = this.#value.get();
    return found instanceof OnDemand ? found.use() : found;
  }

  /** Leaves one on demand as it is. */
  opened(): Session | undefined {
    const found = this.#value.get();
    return found instanceof OnDemand ? found.opened : found;
  }

  /** The same, as it was given to `run`. */
  found(): Session | OnDemand<Session> | undefined {
    return this.#value.get();
  }

  /** What `work` begins, now or later, is in no session. */
  outside<T>(work: () => T): T {
    return this.#value.run(undefined, work);
  }

  /** Runs `work` in `session`, with `context` in its log lines. */
  run<T>(session: Session | OnDemand<Session>, work: () => T, context: CorrelationContext): T {
    return this.#value.run(session, work, context);
  }
}
