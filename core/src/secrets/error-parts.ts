import { types } from 'node:util';
import { isKeelsonError } from '../contract/keelson-error.js';
import { masked } from './masked.js';
import { maskQuotedInput } from './quoted-input.js';
import { maskWithheld } from './withheld-values.js';

/** What system, HTTP and PostgreSQL errors say of themselves that holds no value of a user. */
const plainFacts = ['code', 'errno', 'syscall', 'hostname', 'address', 'port', 'signal', 'status', 'statusCode'];
const databaseFacts = ['severity', 'schema', 'table', 'column', 'constraint', 'routine'];

export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || value instanceof Error;
}

/**
 * Returns the parts of an error that may be shown, not yet copied. Takes own properties by name and never all: drivers
 * put the statement, its parameters and the offending row on their errors.
 */
export function errorParts(error: Error): Record<string, unknown> {
  const parts: Record<string, unknown> = { name: read(error, 'name'), ...messageAndStack(error) };
  for (const key of [...plainFacts, ...databaseFacts]) {
    const value = read(error, key);
    if (typeof value === 'string' || typeof value === 'number') parts[key] = value;
  }
  if (isKeelsonError(error)) {
    parts.hint = read(error, 'hint');
    parts.facts = read(error, 'facts');
  }
  return { ...parts, ...related(error) };
}

/** The cause (a method in VError), those of an AggregateError, the two of a SuppressedError. */
function related(error: Error): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const cause = read(error, 'cause');
  found.cause = typeof cause === 'function' ? attempt(() => cause.call(error)) : cause;
  if (typeof found.cause === 'string') found.cause = maskWithheld(error, found.cause);
  const errors = read(error, 'errors');
  if (Array.isArray(errors)) found.errors = errors;
  for (const key of ['error', 'suppressed']) {
    const value = read(error, key);
    if (isError(value)) found[key] = value;
  }
  return found;
}

function messageAndStack(error: Error): Record<string, unknown> {
  const message = read(error, 'message');
  const stack = read(error, 'stack');
  if (typeof message !== 'string') return { message, stack };
  const shown = withoutInput(error, message);
  if (shown === message) return { message, stack };
  return { message: shown, stack: typeof stack === 'string' ? stack.replaceAll(message, () => shown) : undefined };
}

/** `message` without the values that a user or another service has sent, as far as they are known. */
export function withoutInput(error: Error, message: string): string {
  const given = maskWithheld(error, maskQuotedInput(message));
  const quoted = quotesInput(error) ? given.replace(/".*"/s, `"${masked}"`) : given;
  // MikroORM writes the detail of PostgreSQL into the message: `Key (email)=(ada@example.org) already exists.`
  const detail = read(error, 'detail');
  return typeof detail === 'string' && detail !== '' ? quoted.replaceAll(detail, masked) : quoted;
}

/** PostgreSQL quotes the value it refuses in the messages of SQLSTATE class 22, data exception. */
function quotesInput(error: Error): boolean {
  const code = read(error, 'code');
  return typeof code === 'string' && /^22[0-9A-Z]{3}$/.test(code);
}

function read(error: Error, key: string): unknown {
  return attempt(() => Reflect.get(error, key));
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
