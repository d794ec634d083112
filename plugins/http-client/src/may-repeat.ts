/** Sending it twice has the effect of sending it once (RFC 9110 9.2.2). */
const idempotentMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'];

export interface Repeatable {
  readonly method: string;
  readonly headers: Headers;
  readonly body: unknown;
  /** What the caller says of it. */
  readonly idempotent: boolean | undefined;
}

/**
 * May the request be sent more than once? Only when its body can be, and its method, the caller or an `Idempotency-Key`
 * says that it does no harm.
 */
export function mayRepeat({ method, headers, body, idempotent }: Repeatable): boolean {
  if (!isReplayable(body)) return false;
  return idempotent ?? (idempotentMethods.includes(method) || headers.has('idempotency-key'));
}

/** A stream is gone once it has been read; everything else is sent from the start again. */
function isReplayable(body: unknown): boolean {
  return (
    body === null ||
    body === undefined ||
    typeof body === 'string' ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof Blob ||
    body instanceof FormData ||
    body instanceof URLSearchParams
  );
}
