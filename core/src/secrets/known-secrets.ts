import { masked } from './masked.js';

/** Shorter ones, and plain words, would be masked in text that has nothing to do with them. */
const shortest = 8;
const plainWord = /^[a-z]*$/;

const known = new Set<string>();
/** All of them in one expression, the longest first: a secret may begin with another. */
let anyOfThem: RegExp | undefined;

/**
 * From now on the text is masked in every error, log line, event and output of this process, wherever it turns up. Of
 * a URL its password is. Texts of less than 8 characters and words of small letters are not: `postgres` stands in too many
 * places.
 */
export function addSecret(text: string): void {
  const before = known.size;
  for (const part of [text, text.trim(), ...passwordsOf(text)]) {
    if (part.length < shortest || plainWord.test(part)) continue;
    for (const written of [part, JSON.stringify(part).slice(1, -1), encodeURIComponent(part.toWellFormed())])
      known.add(written);
  }
  if (known.size === before) return;
  const longestFirst = [...known].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map(secret => secret.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
  anyOfThem = new RegExp(escaped.join('|'), 'g');
}

export function knowsSecrets(): boolean {
  return anyOfThem !== undefined;
}

export function maskKnownSecrets(text: string): string {
  return anyOfThem === undefined || text.length < shortest ? text : text.replace(anyOfThem, masked);
}

function passwordsOf(text: string): string[] {
  const written = /^[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:(.*)@/i.exec(text.trim())?.[1];
  if (written === undefined) return [];
  try {
    return [written, decodeURIComponent(written)];
  } catch {
    return [written];
  }
}
