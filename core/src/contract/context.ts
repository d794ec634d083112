import { AsyncLocalStorage } from 'node:async_hooks';

/** The ids that connect the log lines, spans and errors of one request or job. Never a user's value. */
export interface CorrelationContext {
  readonly requestId?: string;
  readonly traceId?: string;
  readonly sessionId?: string;
}

const storage = new AsyncLocalStorage<CorrelationContext>();
const empty: CorrelationContext = Object.freeze({});

/** Returns the context of the calling code; empty outside of `runWithContext`. */
export function currentContext(): CorrelationContext {
  return storage.getStore() ?? empty;
}

/** Runs `work` with `context` merged over the current context. */
export function runWithContext<T>(context: CorrelationContext, work: () => T): T {
  return storage.run({ ...storage.getStore(), ...context }, work);
}
