import { errorParts, isError } from './error-parts.js';
import { maskText } from './mask-text.js';
import { MaskWalk, type Visitor } from './mask-walk.js';
import { defaultSecretKeys, secretKeyMatcher } from './secret-keys.js';

export interface MaskOptions {
  /** Keys whose values are masked, beyond `defaultSecretKeys`. */
  readonly secretKeys?: readonly string[];
  /** Keys whose values are shown although a secret key is a word of them. */
  readonly shownKeys?: readonly string[];
  /** Levels of objects inside objects, causes included. Default 8. */
  readonly maxDepth?: number;
  /** Characters of one string. Default 8,192. */
  readonly maxStringLength?: number;
  /** Entries of one object or array. Default 100. */
  readonly maxEntries?: number;
  /** Values in all. Default 2,000. */
  readonly maxValues?: number;
}

/** Copies any value. JSON can write the copy, and its secrets are masked. Never throws, and never changes the original. */
export type Mask = (value: unknown) => unknown;

/**
 * Makes a mask for log lines and events. In a copy, a bigint becomes its digits, an error its parts (code, hint, facts,
 * stack, causes), a cycle `[Circular]`, and a value that cannot be read `[Unreadable]`. A value that is too long is cut, and
 * marked as cut. Values under secret keys and credentials inside strings become `[masked]`.
 */
export function createMask(options: MaskOptions = {}): Mask {
  const {
    secretKeys = [],
    shownKeys = [],
    maxDepth = 8,
    maxStringLength = 8_192,
    maxEntries = 100,
    maxValues = 2_000,
  } = options;
  const namesSecret = secretKeyMatcher([...defaultSecretKeys, ...secretKeys]);
  const shown = new Set(shownKeys);
  const isSecretKey = shown.size === 0 ? namesSecret : (key: string) => !shown.has(key) && namesSecret(key);
  const textOf = (text: string): string => {
    if (text.length <= maxStringLength) return maskText(text, isSecretKey);
    // Masked before it is cut: a cut inside a credential would hide what it is.
    const start = maskText(text.slice(0, maxStringLength * 2), isSecretKey).slice(0, maxStringLength);
    return `${start}… (${text.length - maxStringLength} characters more)`;
  };
  const visitor: Visitor = {
    maxDepth,
    maxEntries,
    maxValues,
    isSecretKey,
    leaf: value => (typeof value === 'string' ? textOf(value) : jsonOf(value)),
    object: (value, walk) => copyOf(value, walk, textOf),
  };
  return value => new MaskWalk(visitor).visit(value);
}

function jsonOf(value: unknown): unknown {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
    case 'symbol':
      return String(value);
    case 'function':
      return '[Function]';
    default:
      return value;
  }
}

function copyOf(value: object, walk: MaskWalk, textOf: (text: string) => string): unknown {
  if (isError(value)) return recordOf(errorParts(value), walk);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (Array.isArray(value)) return listOf(value, walk);
  if (ArrayBuffer.isView(value)) return `[${value.constructor.name} of ${value.byteLength} bytes]`;
  if (value instanceof Set) return listOf([...value], walk);
  if (value instanceof Map) {
    return recordOf(Object.fromEntries([...value].map(([key, of]) => [String(key), of])), walk);
  }
  if (value instanceof RegExp || value instanceof URL) return textOf(String(value));
  const json: unknown = 'toJSON' in value && typeof value.toJSON === 'function' ? value.toJSON() : value;
  return json === value ? recordOf(value, walk) : walk.visit(json);
}

function listOf(list: readonly unknown[], walk: MaskWalk): unknown[] {
  return walk.list(list).map(item => item ?? null);
}

function recordOf(record: object, walk: MaskWalk): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  walk.record(record, Object.keys(record), (key, value) => {
    if (value !== undefined) entries.push([key, value]);
  });
  return Object.fromEntries(entries);
}
