import { masked } from './masked.js';

/** Shorter ones stand in too many words of a message. */
const shortest = 4;
/** Of requests that fail with one and the same error. */
const mostReaders = 4;
const mostCauses = 20;
/** To look for more would take too long: the message is left out. */
const mostForms = 5_000;
/** More than any output shows of a message. */
const longestMessage = 16_384;

type ReadValues = () => readonly string[];

const withheld = new WeakMap<object, readonly ReadValues[]>();

/**
 * Masks the texts that `read` returns in the messages of `error` and its causes, wherever they are shown from now on: an
 * error of other code may quote what a user has sent. Texts of less than 4 characters are not masked. When `read` returns
 * thousands of texts, the whole message is masked instead. `read` is called when the error is first shown; for a thrown
 * string, at once.
 *
 * Returns the error to use in place of `error`: for a thrown string its masked copy, otherwise `error` itself. Never throws.
 */
export function withholdValues(error: unknown, read: () => Iterable<string>): unknown {
  if (typeof error === 'string') return maskValues(error, writtenForms(read));
  let forms: readonly string[] | undefined;
  const once = () => {
    forms ??= writtenForms(read);
    return forms;
  };
  for (const each of withCauses(error)) {
    const before = withheld.get(each) ?? [];
    if (before.length < mostReaders) withheld.set(each, [...before, once]);
  }
  return error;
}

/** `message` without the values that `error` must not show. */
export function maskWithheld(error: object, message: string): string {
  const readers = withheld.get(error);
  return readers === undefined ? message : readers.reduce((text, read) => maskValues(text, read()), message);
}

/** `copy` stands for `original` from now on. */
export function withholdAsIn(original: object, copy: object): void {
  const readers = withheld.get(original);
  if (readers !== undefined) withheld.set(copy, readers);
}

function maskValues(text: string, forms: readonly string[]): string {
  if (forms.length > mostForms) return masked;
  const start = text.length > longestMessage ? `${text.slice(0, longestMessage)}…` : text;
  return forms.reduce((shown, form) => (shown.includes(form) ? shown.replaceAll(form, masked) : shown), start);
}

/** As they stand in a text, in JSON and in a URL; the longest first, for one may begin with another. */
function writtenForms(read: () => Iterable<string>): string[] {
  const forms = new Set<string>();
  try {
    for (const value of read()) {
      if (value.length < shortest) continue;
      for (const form of [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value.toWellFormed())])
        forms.add(form);
    }
  } catch {
    // What cannot be read withholds nothing more.
  }
  return [...forms].sort((one, other) => other.length - one.length);
}

function withCauses(error: unknown): Set<object> {
  const found = new Set<object>();
  const visit = (each: unknown): void => {
    if (typeof each !== 'object' || each === null || found.has(each) || found.size >= mostCauses) return;
    found.add(each);
    for (const key of ['cause', 'error', 'suppressed']) visit(property(each, key));
    const several = property(each, 'errors');
    if (Array.isArray(several)) several.forEach(visit);
  };
  visit(error);
  return found;
}

function property(object: object, key: string): unknown {
  try {
    return Reflect.get(object, key);
  } catch {
    return undefined;
  }
}
