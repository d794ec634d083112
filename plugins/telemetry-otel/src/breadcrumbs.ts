import type { Breadcrumb } from '@keelson/core';
import { type Context, createContextKey } from '@opentelemetry/api';

const key = createContextKey('keelson breadcrumbs');

export interface TimedBreadcrumb extends Omit<Breadcrumb, 'processWide'> {
  readonly at: Date;
  /** Counts up, for those of one millisecond. */
  readonly number: number;
}

/** The latest breadcrumbs: of the process, and of each request in its context. */
export class Breadcrumbs {
  readonly #most: number;
  readonly #ofProcess: TimedBreadcrumb[] = [];
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** `current`, with room for those of one request or job. */
  begin(current: Context, own: TimedBreadcrumb[]): Context {
    return current.setValue(key, own);
  }

  add({ processWide, ...breadcrumb }: Breadcrumb, at: Date, current: Context): void {
    const list = (processWide === true ? undefined : ownOf(current)) ?? this.#ofProcess;
    list.push({ ...breadcrumb, at, number: ++this.#count });
    if (list.length > this.#most) list.shift();
  }

  /** In the order in which they came. */
  seenFrom(current: Context): readonly TimedBreadcrumb[] {
    const all = [...this.#ofProcess, ...(ownOf(current) ?? [])].toSorted((one, other) => one.number - other.number);
    return all.slice(Math.max(0, all.length - this.#most));
  }
}

/** Only `begin` writes under this key. */
function ownOf(current: Context): TimedBreadcrumb[] | undefined {
  return current.getValue(key) as TimedBreadcrumb[] | undefined;
}
