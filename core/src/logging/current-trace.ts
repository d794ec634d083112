import { type CorrelationContext, currentContext } from '../contract/context.js';
import type { Telemetry } from '../contract/slots/telemetry.js';

/**
 * The ids of the calling code for a line: those of its context, and of the span that it runs in. Telemetry is asked when a
 * line is written, and at no other time.
 */
export class CurrentTrace {
  #telemetry: Telemetry | undefined;

  /** From now on lines outside of a request have the trace of `telemetry` too. */
  follow(telemetry: Telemetry): void {
    this.#telemetry = telemetry;
  }

  readonly ids = (): CorrelationContext => {
    const context = currentContext();
    if (this.#telemetry === undefined) return context;
    const span = spanIdsOf(this.#telemetry);
    return span === undefined ? context : { ...context, ...span };
  };
}

/** What the slot says of the span that the calling code runs in; a further id of the contract is added here. */
function spanIdsOf(telemetry: Telemetry): Pick<CorrelationContext, 'traceId' | 'spanId'> | undefined {
  const traceId = telemetry.currentTraceId();
  return traceId === undefined ? undefined : { traceId };
}
