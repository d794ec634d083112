import { maskText } from './mask-text.js';
import { masked } from './masked.js';

/** A value as it may be shown: a secret not at all, credentials inside of it not either, long text cut. */
export function showValue(value: unknown, secret: boolean): string {
  if (secret) return masked;
  if (typeof value !== 'string') return value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value));
  const text = maskText(value);
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
