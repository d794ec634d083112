/** A stream of numbers that depends on its seed only (sfc32). Streams of other names are independent of each other. */
export class Random {
  readonly seed: string;
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  constructor(seed: string) {
    this.seed = seed;
    this.#a = hashOf(seed, 0x9e3779b9);
    this.#b = hashOf(seed, 0x85ebca6b);
    this.#c = hashOf(seed, 0xc2b2ae35);
    for (let turn = 0; turn < 12; turn++) this.next();
  }

  /** From 0 up to 1. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4_294_967_296;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** A whole number; both ends are included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  /** Mostly small, sometimes much larger; its mean is `mean`. */
  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.integer(0, items.length - 1)] ?? items[0];
  }

  /** Few, half, or all of the items; never none. */
  some<T>(items: readonly [T, ...T[]]): readonly T[] {
    const probability = this.pick([0.2, 0.5, 1]);
    const chosen = items.filter(() => this.chance(probability));
    return chosen.length > 0 ? chosen : [this.pick(items)];
  }

  /** Another stream; the same for the same name, however much was taken from this one. */
  fork(name: string): Random {
    return new Random(`${this.seed}/${name}`);
  }
}

/** FNV-1a, of the characters of a text. */
export function hashOf(text: string, start = 0x811c9dc5): number {
  let hash = start;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
