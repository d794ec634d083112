import { errorParts, isError } from './error-parts.js';
import { redactText } from './mask-credentials.js';
import { masked } from './masked.js';
import { isSecretField } from './secret-fields.js';
import { defaultSecretKeys, secretKeyMatcher } from './secret-keys.js';

export interface SafeCopyOptions {
  /** Keys whose values are replaced, beyond `defaultSecretKeys`. */
  readonly secretKeys?: readonly string[];
  /** Levels of objects inside objects, causes included. Default 8. */
  readonly maxDepth?: number;
  /** Characters of one string. Default 8,192. */
  readonly maxStringLength?: number;
  /** Entries of one object or array. Default 100. */
  readonly maxEntries?: number;
  /** Values in all. Default 2,000. */
  readonly maxValues?: number;
}

/** A copy of any value that JSON can write, with the secrets taken out. Never throws and never changes the original. */
export type SafeCopy = (value: unknown) => unknown;

/**
 * Makes a copier for log lines and events. In its copies a bigint is its digits, an error its parts (code, hint, facts,
 * stack, causes), a cycle `[Circular]`, what cannot be read `[Unreadable]`, and what is too long is cut and says so.
 * Values under secret keys and credentials inside strings are `[redacted]`.
 */
export function createSafeCopy(options: SafeCopyOptions = {}): SafeCopy {
  const limits: Limits = {
    isSecretKey: secretKeyMatcher([...defaultSecretKeys, ...(options.secretKeys ?? [])]),
    maxDepth: options.maxDepth ?? 8,
    maxStringLength: options.maxStringLength ?? 8_192,
    maxEntries: options.maxEntries ?? 100,
    maxValues: options.maxValues ?? 2_000,
  };
  return value => new Copying(limits).copy(value);
}

interface Limits extends Required<Omit<SafeCopyOptions, 'secretKeys'>> {
  readonly isSecretKey: (key: string) => boolean;
}

class Copying {
  readonly #limits: Limits;
  readonly #ancestors = new Set<object>();
  #left: number;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#left = limits.maxValues;
  }

  copy(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        return Number.isFinite(value) ? value : String(value);
      case 'bigint':
      case 'symbol':
        return String(value);
      case 'function':
        return '[Function]';
      case 'object':
        return value === null ? null : this.#guarded(value);
      default:
        return value;
    }
  }

  #text(text: string): string {
    const { maxStringLength, isSecretKey } = this.#limits;
    if (text.length <= maxStringLength) return redactText(text, isSecretKey);
    // Redacted before it is cut: a cut inside a credential would hide what it is.
    const safe = redactText(text.slice(0, maxStringLength * 2), isSecretKey).slice(0, maxStringLength);
    return `${safe}… (${text.length - maxStringLength} characters more)`;
  }

  #guarded(value: object): unknown {
    if (this.#ancestors.has(value)) return '[Circular]';
    if (this.#ancestors.size >= this.#limits.maxDepth) return '[Too deep]';
    this.#ancestors.add(value);
    try {
      return this.#object(value);
    } catch {
      return '[Unreadable]';
    } finally {
      this.#ancestors.delete(value);
    }
  }

  #object(value: object): unknown {
    if (isError(value)) return this.#record(errorParts(value));
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (Array.isArray(value)) return this.#list(value);
    if (ArrayBuffer.isView(value)) return `[${value.constructor.name} of ${value.byteLength} bytes]`;
    if (value instanceof Set) return this.#list([...value]);
    if (value instanceof Map) return this.#record(Object.fromEntries([...value].map(([key, of]) => [String(key), of])));
    if (value instanceof RegExp || value instanceof URL) return this.#text(String(value));
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.#plain(value, value.toJSON());
    return this.#record(value);
  }

  /** What `toJSON` gave; itself when it gave itself. */
  #plain(value: object, json: unknown): unknown {
    return json === value ? this.#record(value) : this.copy(json);
  }

  #list(list: readonly unknown[]): unknown[] {
    const copies: unknown[] = [];
    for (const item of list.slice(0, this.#limits.maxEntries)) {
      if (this.#left-- <= 0) break;
      copies.push(this.copy(item) ?? null);
    }
    if (copies.length < list.length) copies.push(`… ${list.length - copies.length} more`);
    return copies;
  }

  #record(record: object): Record<string, unknown> {
    const keys = Object.keys(record);
    const entries: [string, unknown][] = [];
    let taken = 0;
    for (const key of keys.slice(0, this.#limits.maxEntries)) {
      if (this.#left-- <= 0) break;
      taken++;
      const copied = this.#entry(record, key);
      if (copied !== undefined) entries.push([key, copied]);
    }
    if (taken < keys.length) entries.push(['…', `${keys.length - taken} more`]);
    return Object.fromEntries(entries);
  }

  #entry(record: object, key: string): unknown {
    try {
      const value: unknown = Reflect.get(record, key);
      const secret = this.#limits.isSecretKey(key) || isSecretField(record, key);
      return secret && value !== undefined && value !== null ? masked : this.copy(value);
    } catch {
      return '[Unreadable]';
    }
  }
}
