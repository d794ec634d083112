import type { Facts } from './keelson-error.js';

const noted = new WeakMap<object, Facts>();

/**
 * Adds facts to an error that its own facts do not have, such as the number of attempts. Telemetry sends them with the
 * report of the error. A later note adds to an earlier one.
 */
export function noteFacts(error: unknown, facts: Facts): void {
  if (typeof error !== 'object' || error === null) return;
  noted.set(error, { ...noted.get(error), ...facts });
}

/** Returns what was noted; undefined when nothing was. */
export function notedFactsOf(error: unknown): Facts | undefined {
  return typeof error === 'object' && error !== null ? noted.get(error) : undefined;
}
