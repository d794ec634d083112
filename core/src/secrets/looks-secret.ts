import { maskText } from './mask-text.js';
import { redacted } from './masked.js';

/** What stands in every output where a secret would. */
export const masked = redacted;

/** A value as it may be shown: a secret not at all, credentials inside of it not either, long text cut. */
export function show(value: unknown, secret: boolean): string {
  if (secret) return masked;
  if (typeof value !== 'string') return value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value));
  const safe = maskUrl(value);
  return JSON.stringify(safe.length > 80 ? `${safe.slice(0, 77)}...` : safe);
}

/** `postgresql://user:hunter2@db/orders?token=x` -> `postgresql://[redacted]@db/orders?token=[redacted]`. */
export const maskUrl = maskText;
