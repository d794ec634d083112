import { masked } from './masked.js';
import { isSecretField } from './secret-fields.js';

/** What a walk makes of what it meets. */
export interface Visitor {
  /** Levels of objects inside objects. */
  readonly maxDepth: number;
  /** Entries of one object or list. */
  readonly maxEntries: number;
  /** Entries in all. */
  readonly maxValues: number;
  isSecretKey(key: string): boolean;
  /** A value that is not an object. */
  leaf(value: unknown): unknown;
  /** An object; what is inside goes through `walk`. */
  object(value: object, walk: MaskWalk): unknown;
}

/**
 * The one walk through a value that masks: what is under a secret key, and what is circular, too deep, too much or throws,
 * is replaced by a word. Never throws and never changes what it walks through.
 */
export class MaskWalk {
  readonly #visitor: Visitor;
  readonly #ancestors = new Set<object>();
  #left: number;

  constructor(visitor: Visitor) {
    this.#visitor = visitor;
    this.#left = visitor.maxValues;
  }

  visit(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return this.#visitor.leaf(value);
    if (this.#ancestors.has(value)) return '[Circular]';
    if (this.#ancestors.size >= this.#visitor.maxDepth) return '[Too deep]';
    this.#ancestors.add(value);
    try {
      return this.#visitor.object(value, this);
    } catch {
      return '[Unreadable]';
    } finally {
      this.#ancestors.delete(value);
    }
  }

  /** Each item visited; those that are too many are counted at the end. */
  list(list: readonly unknown[]): unknown[] {
    const visited: unknown[] = [];
    for (const item of list) {
      if (visited.length >= this.#visitor.maxEntries || this.#left-- <= 0) break;
      visited.push(this.visit(item));
    }
    if (visited.length < list.length) visited.push(`… ${list.length - visited.length} more`);
    return visited;
  }

  /** Gives `take` the value of each key after and before it was visited; those that are too many are counted as `…`. */
  record(record: object, keys: readonly string[], take: (key: string, after: unknown, before?: unknown) => void): void {
    let taken = 0;
    for (const key of keys) {
      if (taken >= this.#visitor.maxEntries || this.#left-- <= 0) break;
      taken++;
      this.#entry(record, key, take);
    }
    if (taken < keys.length) take('…', `${keys.length - taken} more`);
  }

  #entry(record: object, key: string, take: (key: string, after: unknown, before?: unknown) => void): void {
    let value: unknown;
    try {
      value = Reflect.get(record, key);
    } catch {
      take(key, '[Unreadable]');
      return;
    }
    const secret = value !== undefined && value !== null && this.#isSecret(record, key);
    take(key, secret ? masked : this.visit(value), value);
  }

  #isSecret(record: object, key: string): boolean {
    return this.#visitor.isSecretKey(key) || isSecretField(record, key);
  }
}
