import type { Facts } from '../contract/keelson-error.js';
import type { LogLevel } from '../contract/slots/logger.js';

/** Numbers, ids and quoted names: what differs between two failures of one kind. */
const varying = /"[^"]*"|'[^']*'|\b(?=[0-9a-f-]*\d)[0-9a-f-]{8,}\b|\d+/gi;
const longestShape = 200;

/**
 * The kind of failure that a line reports: level, plugin, code and the shape of its message. Undefined for a line that
 * reports none.
 */
export function kindOfFailure(
  level: LogLevel,
  plugin: unknown,
  message: string,
  facts: Facts | undefined,
): string | undefined {
  const code = facts === undefined ? undefined : codeOf(facts);
  if (code === undefined) return undefined;
  return `${level} ${String(plugin)} ${code} ${String(message).slice(0, longestShape).replace(varying, '#')}`;
}

function codeOf({ error, code }: Facts): string | undefined {
  if (typeof error === 'object' && error !== null) {
    return String(Reflect.get(error, 'code') ?? Reflect.get(error, 'name'));
  }
  if (typeof code === 'string') return code;
  return error === undefined ? undefined : 'thrown';
}
