import type { IncomingMessage } from 'node:http';

/** How a route treats the header `Idempotency-Key`. */
export interface IdempotencyOptions {
  /** A request without a key is a 400. Default false: it runs as every other. */
  readonly required?: boolean;
  /** How long an answer is kept, in ms. Default: a day. */
  readonly keepMs?: number;
  /**
   * Returns the owner of the key, such as the id of a customer: each owner has keys of its own. Default: all callers share
   * their keys, so a caller that knows the key and the body of another caller gets the answer of that caller.
   */
  readonly caller?: (request: IncomingMessage) => string;
}

export interface IdempotencySettings {
  readonly required: boolean;
  readonly keepMs: number;
  readonly caller: (request: IncomingMessage) => string;
}

const dayMs = 86_400_000;

export function settingsOf({
  required = false,
  keepMs = dayMs,
  caller = () => '',
}: IdempotencyOptions): IdempotencySettings {
  return { required, keepMs, caller };
}
