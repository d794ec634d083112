import { redacted } from './redacted.js';

/** Shorter ones, and plain words, would be taken out of text that has nothing to do with them. */
const shortest = 8;
const plainWord = /^[a-z]*$/;

const known = new Set<string>();

/**
 * From now on the text is taken out of every error, log line, event and output of this process, wherever it turns up. Of
 * a URL its password is. Texts of less than 8 characters and words of small letters are not: `postgres` stands in too many
 * places.
 */
export function keepSecret(text: string): void {
  for (const part of [text, ...passwordsOf(text)]) {
    if (part.length < shortest || plainWord.test(part)) continue;
    known.add(part);
    known.add(JSON.stringify(part).slice(1, -1));
  }
}

export function withoutKnownSecrets(text: string): string {
  let safe = text;
  for (const secret of known) if (safe.includes(secret)) safe = safe.replaceAll(secret, redacted);
  return safe;
}

function passwordsOf(text: string): string[] {
  const written = /^[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:(.*)@/i.exec(text)?.[1];
  if (written === undefined) return [];
  try {
    return [written, decodeURIComponent(written)];
  } catch {
    return [written];
  }
}
