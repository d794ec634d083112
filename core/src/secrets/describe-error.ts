import type { Facts } from '../contract/keelson-error.js';
import { createMask, type Mask } from './create-mask.js';
import { isError } from './error-parts.js';

/** A thrown value as a log line or an event may carry it: no secret, no statement, no parameters, only JSON. */
export interface ErrorDescription {
  /** The class of the error; `NonError` when something else was thrown. */
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** Of a KeelsonError, the system (`ECONNREFUSED`) or PostgreSQL (SQLSTATE). */
  readonly code?: string | number;
  readonly hint?: string;
  readonly facts?: Facts;
  readonly cause?: unknown;
  /** Those of an AggregateError. */
  readonly errors?: readonly unknown[];
  readonly [further: string]: unknown;
}

const defaultMask = createMask();

/**
 * Describes any thrown value, causes and aggregated errors included, with `mask` deciding what is secret and too long.
 * Never throws.
 */
export function describeError(thrown: unknown, mask: Mask = defaultMask): ErrorDescription {
  const copied = mask(thrown);
  if (isDescription(copied) && isThrownError(thrown)) return copied;
  return { name: 'NonError', message: typeof copied === 'string' ? copied : (JSON.stringify(copied) ?? 'undefined') };
}

function isThrownError(thrown: unknown): boolean {
  try {
    return isError(thrown);
  } catch {
    return false;
  }
}

function isDescription(copied: unknown): copied is ErrorDescription {
  return typeof copied === 'object' && copied !== null && 'name' in copied && 'message' in copied;
}
