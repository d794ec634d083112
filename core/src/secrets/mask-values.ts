import { isError } from './error-parts.js';
import { maskKnownSecrets } from './known-secrets.js';
import { maskText } from './mask-text.js';
import { MaskWalk, type Visitor } from './mask-walk.js';
import { withholdAsIn } from './withheld-values.js';

/**
 * Masks the secrets of the configuration in every text inside `value`. Returns a value without secrets unchanged, and a
 * masked copy of the same class otherwise. Never throws, and never changes the original.
 */
export function maskSecretsIn<T>(value: T): T {
  return new MaskWalk(ofSecrets).visit(value) as T;
}

/** The same for everything that `maskText` masks. */
export function maskTextsIn<T>(value: T): T {
  return new MaskWalk(ofTexts).visit(value) as T;
}

const ofSecrets = keeping(maskKnownSecrets);
const ofTexts = keeping(maskText);

/** Keeps what `mask` leaves as it is, and otherwise its class. */
function keeping(mask: (text: string) => string): Visitor {
  return {
    maxDepth: 20,
    maxEntries: Number.POSITIVE_INFINITY,
    maxValues: 100_000,
    isSecretKey: () => false,
    leaf: value => (typeof value === 'string' ? mask(value) : value),
    object,
  };
}

function object(value: object, walk: MaskWalk): unknown {
  if (Array.isArray(value)) return sameUnless(value, value, walk, items => items);
  if (value instanceof Map)
    return sameUnless(value, [...value], walk, entries => new Map(entries as [unknown, unknown][]));
  if (value instanceof Set) return sameUnless(value, [...value], walk, items => new Set(items));
  if (value instanceof Date || ArrayBuffer.isView(value)) return value;
  if (value instanceof URL || value instanceof RegExp)
    return sameUnless(value, [String(value)], walk, ([text]) => text);
  if (!isError(value) && 'toJSON' in value && typeof value.toJSON === 'function') {
    const json: unknown = value.toJSON();
    if (json !== value) return sameUnless(value, [json], walk, ([only]) => only);
  }
  return record(value, walk);
}

/** `original`, unless something in its `parts` was masked: then what `make` makes of them. */
function sameUnless(
  original: unknown,
  parts: readonly unknown[],
  walk: MaskWalk,
  make: (parts: unknown[]) => unknown,
): unknown {
  const visited = walk.list(parts);
  return visited.every((part, index) => Object.is(part, parts[index])) ? original : make(visited);
}

function record(original: object, walk: MaskWalk): object {
  const visited = new Map<string, unknown>();
  let changed = false;
  walk.record(original, keysOf(original), (key, after, before) => {
    visited.set(key, after);
    changed ||= !Object.is(after, before);
  });
  return changed ? copyWith(original, visited) : original;
}

function copyWith(original: object, values: ReadonlyMap<string, unknown>): object {
  const copy: object = Object.create(Object.getPrototypeOf(original));
  withholdAsIn(original, copy);
  for (const symbol of Object.getOwnPropertySymbols(original)) {
    Object.defineProperty(copy, symbol, { value: Reflect.get(original, symbol), configurable: true, writable: true });
  }
  for (const [key, value] of values) {
    const own = Object.getOwnPropertyDescriptor(original, key);
    if (own === undefined && value === undefined) continue;
    const enumerable = own?.enumerable ?? true;
    Object.defineProperty(copy, key, { value, enumerable, configurable: true, writable: true });
  }
  return copy;
}

/** Message and stack of an error are not enumerable; its cause neither. */
function keysOf(value: object): string[] {
  return isError(value)
    ? [...new Set(['message', 'stack', 'cause', 'errors', ...Object.keys(value)])]
    : Object.keys(value);
}
