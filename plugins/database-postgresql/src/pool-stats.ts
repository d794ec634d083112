import type { PoolStats } from '@keelson/database';

/** The numbers of several pools as if they were one. */
export function sumOf(first: PoolStats, ...others: readonly PoolStats[]): PoolStats {
  return others.reduce(plus, first);
}

function plus(one: PoolStats, other: PoolStats): PoolStats {
  return {
    total: one.total + other.total,
    idle: one.idle + other.idle,
    busy: one.busy + other.busy,
    waiting: one.waiting + other.waiting,
    max: one.max + other.max,
    counters: countersOf(one.counters, other.counters),
  };
}

type Counters = PoolStats['counters'];

function countersOf(one: Counters, other: Counters): Counters {
  const discarded = { ...one.discarded };
  for (const reason of keysOf(other.discarded)) {
    discarded[reason] = (discarded[reason] ?? 0) + (other.discarded[reason] ?? 0);
  }
  return {
    acquired: one.acquired + other.acquired,
    waited: one.waited + other.waited,
    timedOut: one.timedOut + other.timedOut,
    refused: one.refused + other.refused,
    opened: one.opened + other.opened,
    leaked: (one.leaked ?? 0) + (other.leaked ?? 0),
    discarded,
    waitMs: one.waitMs.map(({ upTo, count }, index) => ({ upTo, count: count + (other.waitMs[index]?.count ?? 0) })),
  };
}

function keysOf<K extends string>(record: Readonly<Partial<Record<K, unknown>>>): K[] {
  return Object.keys(record) as K[];
}
