/**
 * Something remembered on an object of MikroORM, under a symbol of its own. A WeakMap would do the same, but every garbage
 * collection looks through it, and there is one entry for each session.
 */
export class Mark<T> {
  readonly #key: symbol;

  constructor(name: string) {
    this.#key = Symbol(name);
  }

  set(target: object, value: T): void {
    Reflect.defineProperty(target, this.#key, { value, configurable: true, writable: true });
  }

  get(target: object): T | undefined {
    return Reflect.get(target, this.#key);
  }
}
