import { randomUUID } from 'node:crypto';

/** Printable, short, without anything that could break a log line, a header or a URN. */
const safe = /^[A-Za-z0-9._~:/+=@-]{1,128}$/;

/** Returns the id of the caller when it is safe to repeat, otherwise a new one. */
export function requestIdFrom(header: string | string[] | undefined): string {
  return typeof header === 'string' && safe.test(header) ? header : randomUUID();
}
