import type { Facts } from '../contract/keelson-error.js';

/** What parts of a service want to be sent with each error: `Telemetry.attachFacts`. */
export class AttachedFacts {
  readonly #readers = new Map<object, { readonly name: string; readonly read: () => Facts }>();

  attach(name: string, read: () => Facts): Disposable {
    const key = {};
    this.#readers.set(key, { name, read });
    return { [Symbol.dispose]: () => void this.#readers.delete(key) };
  }

  /** Reads them now. What cannot be read is left out. */
  read(): ReadonlyMap<string, Facts> {
    const facts = new Map<string, Facts>();
    for (const { name, read } of this.#readers.values()) {
      try {
        facts.set(name, read());
      } catch {
        // An error must be reported, whatever its surroundings do.
      }
    }
    return facts;
  }
}
