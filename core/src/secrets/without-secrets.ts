import { isError } from './error-parts.js';
import { knowsSecrets, withoutKnownSecrets } from './known-secrets.js';
import { masked } from './masked.js';
import { hasSecretFields, isSecretField } from './secret-fields.js';

/** Whether the configuration holds any secret. */
export function hasSecrets(): boolean {
  return knowsSecrets() || hasSecretFields();
}

const maxDepth = 12;
const maxValues = 20_000;

/**
 * `value` with the secrets of the configuration taken out of every text inside. What holds none is given back as it is; of the
 * rest a copy is made, with the class it had. Never throws, and never changes the original.
 */
export function withoutSecrets<T>(value: T): T {
  return new Search().look(value) as T;
}

class Search {
  readonly #ancestors = new Set<object>();
  #left = maxValues;

  look(value: unknown): unknown {
    if (typeof value === 'string') return withoutKnownSecrets(value);
    if (typeof value !== 'object' || value === null) return value;
    if (this.#ancestors.has(value)) return '[Circular]';
    if (this.#ancestors.size >= maxDepth) return '[Too deep]';
    if (this.#left-- <= 0) return '[Too many values]';
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
    if (Array.isArray(value)) return this.#list(value);
    if (value instanceof Map)
      return this.#sameUnless(value, [...value], entries => new Map(entries as [unknown, unknown][]));
    if (value instanceof Set) return this.#sameUnless(value, [...value], items => new Set(items));
    if (value instanceof Date || ArrayBuffer.isView(value)) return value;
    if (value instanceof URL || value instanceof RegExp)
      return this.#sameUnless(value, [String(value)], ([text]) => text);
    if (!isError(value) && 'toJSON' in value && typeof value.toJSON === 'function') {
      const json: unknown = value.toJSON();
      if (json !== value) return this.#sameUnless(value, [json], ([safe]) => safe);
    }
    return this.#record(value);
  }

  #list(list: readonly unknown[]): unknown {
    return this.#sameUnless(list, list, safe => safe);
  }

  /** `original`, unless something had to be taken out of its `parts`: then what `make` makes of the safe ones. */
  #sameUnless(original: unknown, parts: readonly unknown[], make: (safe: unknown[]) => unknown): unknown {
    const safe = parts.map(part => this.look(part));
    return safe.some((part, index) => !Object.is(part, parts[index])) ? make(safe) : original;
  }

  #record(record: object): object {
    const safe = new Map<string, unknown>();
    for (const key of keysOf(record)) {
      const value = this.#read(record, key);
      const secret = isSecretField(record, key) && value !== undefined && value !== null;
      const replaced = secret ? masked : this.look(value);
      if (!Object.is(replaced, value)) safe.set(key, replaced);
    }
    return safe.size === 0 ? record : copyWith(record, safe);
  }

  /** A getter that throws is left to whoever reads it next. */
  #read(record: object, key: string): unknown {
    try {
      return Reflect.get(record, key);
    } catch {
      return undefined;
    }
  }
}

function copyWith(record: object, changed: ReadonlyMap<string, unknown>): object {
  const copy: object = Object.create(Object.getPrototypeOf(record), Object.getOwnPropertyDescriptors(record));
  // The stack of an error is an accessor that only a real error can be asked for.
  const values = isError(record) ? new Map([['stack', record.stack], ...changed]) : changed;
  for (const [key, value] of values) {
    const { enumerable = false } = Object.getOwnPropertyDescriptor(record, key) ?? {};
    Object.defineProperty(copy, key, { value, enumerable, configurable: true, writable: true });
  }
  return copy;
}

/** Message and stack of an error are not enumerable; its cause neither. */
function keysOf(record: object): string[] {
  return isError(record)
    ? [...new Set(['message', 'stack', 'cause', 'errors', ...Object.keys(record)])]
    : Object.keys(record);
}
