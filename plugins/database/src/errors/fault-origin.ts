import { notedFactsOf, noteFacts } from '@keelson/core';

/**
 * Which driver an error came out of. Remembered where it leaves the driver, because the error itself does not show it:
 * a Redis that refuses connections and a PostgreSQL that does so look the same.
 */
const origins = new WeakMap<object, object>();

/** Remembers that `error` came out of `driver`. The first to say so is right: it may pass through others. */
export function markFault(error: unknown, driver: object): void {
  if (isObject(error) && !origins.has(error)) origins.set(error, driver);
}

/** The driver that `error` came out of; undefined for an error of anybody else. */
export function originOf(error: unknown): object | undefined {
  return isObject(error) ? origins.get(error) : undefined;
}

/** Gives `made`, which stands for `error` from now on, the origin of it, and what was noted of it. */
export function withOriginOf<T>(made: T, error: unknown): T {
  const origin = originOf(error);
  const facts = notedFactsOf(error);
  if (facts !== undefined) noteFacts(made, facts);
  if (origin !== undefined) markFault(made, origin);
  return made;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
