import type { Facts } from '@keelson/core';

const mostKeys = 1_000;
/** Needs no escape in JSON, and keeps its place in an object. */
const name = /^[A-Za-z][\w.-]{0,60}$/;

/** The keys of facts that may be written as they are: the mask has let a value of each through. */
export class PlainKeys {
  readonly #known = new Set<string>();
  readonly #reserved: ReadonlySet<string>;

  /** A key in `reserved` is never plain. */
  constructor(reserved: ReadonlySet<string>) {
    this.#reserved = reserved;
  }

  has(key: string): boolean {
    return this.#known.has(key);
  }

  /** Whether the key may become plain. */
  mayHold(key: string): boolean {
    return name.test(key) && !this.#reserved.has(key);
  }

  /** `copied` is what the mask has made of `facts`. */
  learn(facts: Facts, copied: unknown): void {
    if (typeof copied !== 'object' || copied === null) return;
    for (const [key, value] of Object.entries(copied)) {
      if (this.#known.size >= mostKeys) return;
      if (isLetThrough(value) && value === facts[key] && this.mayHold(key)) this.#known.add(key);
    }
  }
}

function isLetThrough(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean' || (typeof value === 'string' && value !== '[masked]');
}
