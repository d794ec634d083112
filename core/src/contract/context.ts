import { AsyncLocalStorage } from 'node:async_hooks';
import type { Deadline } from './deadline.js';

/** The ids that connect the log lines, spans and errors of one request or job. Never a user's value. */
export interface CorrelationContext {
  readonly requestId?: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly sessionId?: string;
}

type Values = Readonly<Record<symbol, unknown>>;

interface Scope {
  readonly ids: CorrelationContext;
  readonly values: Values;
}

const nothing: Scope = Object.freeze({ ids: Object.freeze({}), values: Object.freeze({}) });

/** One for ids and values together: Node copies all storages whenever one of them gets another value. */
const storage = new AsyncLocalStorage<Scope>();

function scope(): Scope {
  return storage.getStore() ?? nothing;
}

/** Returns the context of the calling code; empty outside of `runWithContext`. */
export function currentContext(): CorrelationContext {
  return scope().ids;
}

/** Runs `work` with `context` merged over the current context. */
export function runWithContext<T>(context: CorrelationContext, work: () => T): T {
  const { ids, values } = scope();
  return storage.run({ ids: { ...ids, ...context }, values }, work);
}

/** A value that the running code and everything it starts can read, as with an `AsyncLocalStorage`. */
export class ContextValue<Value> {
  readonly #key: symbol;

  constructor(name: string) {
    this.#key = Symbol(name);
  }

  /** Undefined outside of `run`. */
  get(): Value | undefined {
    // Only `run` writes under this key.
    return scope().values[this.#key] as Value | undefined;
  }

  /** Runs `work` with `value`, and with `context` merged over the current context. */
  run<T>(value: Value | undefined, work: () => T, context?: CorrelationContext): T {
    const { ids, values } = scope();
    return storage.run(
      {
        ids: context === undefined ? ids : { ...ids, ...context },
        values: { ...values, [this.#key]: value },
      },
      work,
    );
  }
}

const deadlines = new ContextValue<Deadline>('deadline');

/** The time by which the request or job that the calling code works for must end; undefined when it has none. */
export function currentDeadline(): Deadline | undefined {
  return deadlines.get();
}

/**
 * Runs `work` under `deadline`, and with `context` merged over the current context: database sessions and requests to other
 * services, with their retries, end by then, although no caller passes it on. Pass it to `RetryPolicy.execute` yourself.
 * Undefined takes an outer deadline away.
 */
export function runWithDeadline<T>(deadline: Deadline | undefined, work: () => T, context?: CorrelationContext): T {
  return deadlines.run(deadline, work, context);
}
