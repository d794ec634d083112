import type { Credential } from '../contract/slots/credentials.js';
import { invalidCredential } from './credential-errors.js';

/** RFC 3339: a date without a zone would mean another time on each machine. */
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i;

/**
 * Reads the output of a source: the bare password in one line, or a JSON object with `password` and perhaps `user` (or
 * `username`, as AWS and Vault call it) and `expiresAt`. Ignores other keys.
 *
 * @throws KeelsonError `CREDENTIALS_INVALID`, which holds nothing of the text.
 */
export function parseCredential(text: string): Credential {
  const trimmed = text.trim();
  if (trimmed === '') throw invalidCredential('it is empty');
  if (trimmed.startsWith('{')) return fromJson(trimmed);
  const password = text.replace(/\r?\n$/, '');
  if (/[\r\n]/.test(password)) throw invalidCredential('it has several lines and is not JSON');
  return { password };
}

function fromJson(text: string): Credential {
  const parsed = objectIn(text);
  const password = textAt(parsed, 'password');
  if (password === undefined) throw invalidCredential('its JSON has no password');
  const user = textAt(parsed, 'user') ?? textAt(parsed, 'username');
  const expiresAt = instantAt(parsed, 'expiresAt');
  return { ...(user !== undefined && { user }), password, ...(expiresAt && { expiresAt }) };
}

function objectIn(text: string): object {
  try {
    return Object(JSON.parse(text));
  } catch {
    // Its message would quote the text.
    throw invalidCredential('it begins with { and is not JSON');
  }
}

function textAt(parsed: object, key: string): string | undefined {
  const value: unknown = Reflect.get(parsed, key) ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '') throw invalidCredential(`its ${key} is empty or not a text`);
  return value;
}

function instantAt(parsed: object, key: string): Date | undefined {
  const text = textAt(parsed, key);
  if (text === undefined) return undefined;
  const date = new Date(text);
  if (!instant.test(text) || Number.isNaN(date.getTime())) {
    throw invalidCredential(`its ${key} is not an instant like 2030-01-31T12:00:00Z`);
  }
  return date;
}
