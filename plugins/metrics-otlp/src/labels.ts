import type { Labels } from '@keelson/core';
import type { Attributes } from '@opentelemetry/api';

const none: Attributes = Object.freeze({});
/** Longer values are cut. */
const longestValue = 256;

/** Makes attributes of the labels of one instrument: those it declares, in a copy that its caller cannot change. */
export class DeclaredLabels {
  readonly #names: readonly string[];
  /** Of labels that cannot change. */
  readonly #known = new WeakMap<Labels, Attributes>();

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  of(labels: Labels | undefined): Attributes {
    if (labels === undefined || this.#names.length === 0) return none;
    if (!Object.isFrozen(labels)) return this.#copied(labels);
    const known = this.#known.get(labels);
    if (known !== undefined) return known;
    const copied = this.#copied(labels);
    this.#known.set(labels, copied);
    return copied;
  }

  #copied(labels: Labels): Attributes {
    const attributes: Attributes = {};
    for (const name of this.#names) {
      const value: unknown = labels[name];
      if (value !== undefined && value !== null) attributes[name] = String(value).slice(0, longestValue);
    }
    return Object.freeze(attributes);
  }
}
