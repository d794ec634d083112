import type { Labels } from '@keelson/core';
import { prometheusLabel } from './prometheus-name.js';

/** The labels of one series, by their names in Prometheus. */
export type PrometheusLabels = Readonly<Record<string, string>>;

/** What went wrong with the labels of an instrument; each is reported once. */
export interface LabelTrouble {
  /** There are as many series as there may be. */
  onFull(): void;
  onUndeclared(label: string): void;
}

/** Of the series that stands for all that are too many; the name is that of the OpenTelemetry SDKs. */
export const overflowLabel = 'otel_metric_overflow';

const overflow: PrometheusLabels = Object.freeze({ [overflowLabel]: 'true' });
const none: PrometheusLabels = Object.freeze({});

/** Longer values are cut. */
const longestValue = 256;

/** The sets of labels of one instrument: the same object for the same labels, and not more of them than there may be. */
export class LabelSets {
  readonly #names: ReadonlyMap<string, string>;
  readonly #limit: number;
  readonly #trouble: LabelTrouble;
  readonly #sets = new Map<string, PrometheusLabels>();
  /** Of labels that cannot change. */
  #known = new WeakMap<Labels, PrometheusLabels>();
  readonly #undeclared = new Set<string>();
  #isFull = false;

  constructor(names: readonly string[], limit: number, trouble: LabelTrouble) {
    this.#names = new Map(names.map(name => [name, prometheusLabel(name)]));
    this.#limit = limit;
    this.#trouble = trouble;
  }

  get size(): number {
    return this.#sets.size;
  }

  /** True once labels came for which there was no room. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Forgets all of them, so that as many others may be there. */
  clear(): void {
    this.#sets.clear();
    this.#known = new WeakMap();
  }

  of(labels: Labels | undefined): PrometheusLabels {
    if (labels === undefined || this.#names.size === 0) return none;
    if (!Object.isFrozen(labels)) return this.#find(labels);
    const known = this.#known.get(labels);
    if (known !== undefined) return known;
    const found = this.#find(labels);
    this.#known.set(labels, found);
    return found;
  }

  #find(labels: Labels): PrometheusLabels {
    const key = this.#keyOf(labels);
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    this.#reportUndeclared(labels);
    if (this.#sets.size >= this.#limit) return this.#overflow();
    const set = this.#translated(labels);
    this.#sets.set(key, set);
    return set;
  }

  #keyOf(labels: Labels): string {
    let key = '';
    for (const name of this.#names.keys()) key += `${textOf(labels[name])}\u0000`;
    return key;
  }

  /** An empty value is no label, for Prometheus. */
  #translated(labels: Labels): PrometheusLabels {
    const set: Record<string, string> = {};
    for (const [name, translated] of this.#names) {
      const text = textOf(labels[name]);
      if (text !== '') set[translated] = text;
    }
    return Object.freeze(set);
  }

  #overflow(): PrometheusLabels {
    if (!this.#isFull) {
      this.#isFull = true;
      this.#trouble.onFull();
    }
    return overflow;
  }

  #reportUndeclared(labels: Labels): void {
    for (const label of Object.keys(labels)) {
      if (this.#names.has(label) || this.#undeclared.size >= longestValue || this.#undeclared.has(label)) continue;
      this.#undeclared.add(label);
      this.#trouble.onUndeclared(label);
    }
  }
}

/** A caller without types may pass anything. */
function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'string' ? value : String(value);
  return text.length > longestValue ? text.slice(0, longestValue) : text;
}
