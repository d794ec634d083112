import { isKeelsonError } from './keelson-error.js';

/** The kind of an error that has none of its own, as OpenTelemetry calls it. */
const otherKind = '_OTHER';

/**
 * Returns in which way something failed, low in cardinality and without a value: the code of an error
 * (`DATABASE_CONNECTION_LOST`, `ECONNREFUSED`, `23505`), else its class, else `_OTHER`. Never throws.
 */
export function errorKindOf(error: unknown): string {
  try {
    if (isKeelsonError(error)) return error.code;
    if (typeof error !== 'object' || error === null) return otherKind;
    const code: unknown = Reflect.get(error, 'code');
    if (typeof code === 'string' && isCode.test(code)) return code;
    const name: unknown = error instanceof Error ? error.name : undefined;
    return typeof name === 'string' && isClass.test(name) ? name : otherKind;
  } catch {
    return otherKind;
  }
}

const isCode = /^[A-Z0-9][A-Z0-9_]{2,39}$/;
const isClass = /^[A-Z][A-Za-z0-9]{1,59}$/;
