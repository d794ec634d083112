import { AsyncLocalStorage } from 'node:async_hooks';

/** What ties the log lines, spans and errors of one request or job together. Ids only, never a value of a user. */
export interface CorrelationContext {
  readonly requestId?: string;
  readonly traceId?: string;
  readonly sessionId?: string;
}

const storage = new AsyncLocalStorage<CorrelationContext>();
const empty: CorrelationContext = Object.freeze({});

/** The context of the code that calls; empty outside of any. */
export function currentContext(): CorrelationContext {
  return storage.getStore() ?? empty;
}

/** Runs `work` with `context` laid over the one that is current. */
export function runWithContext<T>(context: CorrelationContext, work: () => T): T {
  return storage.run({ ...storage.getStore(), ...context }, work);
}
