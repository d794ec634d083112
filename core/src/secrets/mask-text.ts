import { redactText } from './mask-credentials.js';
import { defaultSecretKeys, secretKeyMatcher } from './secret-keys.js';

const isSecretKey = secretKeyMatcher(defaultSecretKeys);

/**
 * The text as it may leave the process: what everything passes that the command line prints and that the kernel says of a
 * plugin's words. Takes out what `redactText` does; what has been masked stays as it is.
 */
export function maskText(text: string): string {
  return redactText(text, isSecretKey);
}

/** `fields`, each text of them masked. */
export function maskFields<Fields extends object>(fields: Fields): Fields {
  const entries = Object.entries(fields).map(([key, value]) => [
    key,
    typeof value === 'string' ? maskText(value) : value,
  ]);
  return Object.fromEntries(entries) as Fields;
}

/** For `JSON.stringify`: every text inside masked. */
export function maskInJson(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? maskText(value) : value;
}
