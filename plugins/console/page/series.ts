import { durationBoundsMs, type Sample } from '../src/model.ts';

/** A value at a time, in milliseconds since 1970. */
export interface Point {
  readonly at: number;
  readonly value: number;
}

/** Longer than this between two samples, nothing is known of the time between. */
export const gapMs = 5_000;

/** How much a counter grew, per second, between each sample and the one before it. */
export function ratesOf(samples: readonly Sample[], counter: (sample: Sample) => number): Point[] {
  return pairs(samples).map(([before, sample]) => ({
    at: sample.at,
    value: (counter(sample) - counter(before)) / ((sample.at - before.at) / 1_000),
  }));
}

/** The duration that 95 of 100 requests did not exceed, over about five seconds before each sample. */
export function p95Of(samples: readonly Sample[]): Point[] {
  return samples.flatMap((sample, index) => {
    const before = samples[Math.max(0, index - 5)];
    if (before === undefined || before === sample || sample.at - before.at > gapMs * 3) return [];
    const value = quantile(grown(sample.durations, before.durations), 0.95);
    return value === undefined ? [] : [{ at: sample.at, value }];
  });
}

export function valuesOf(samples: readonly Sample[], value: (sample: Sample) => number | undefined): Point[] {
  return samples.flatMap(sample => {
    const found = value(sample);
    return found === undefined ? [] : [{ at: sample.at, value: found }];
  });
}

/** The mean of the points of the last `ms`. */
export function recent(points: readonly Point[], ms: number): number | undefined {
  const last = points.at(-1);
  if (last === undefined) return undefined;
  const near = points.filter(point => last.at - point.at < ms);
  return near.reduce((sum, point) => sum + point.value, 0) / near.length;
}

function pairs(samples: readonly Sample[]): [Sample, Sample][] {
  return samples.flatMap((sample, index) => {
    const before = samples[index - 1];
    return before === undefined || sample.at <= before.at || sample.at - before.at > gapMs ? [] : [[before, sample]];
  });
}

function grown(now: readonly number[], before: readonly number[]): number[] {
  return now.map((count, index) => count - (before[index] ?? 0));
}

function quantile(counts: readonly number[], share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return undefined;
  let seen = 0;
  for (const [index, count] of counts.entries()) {
    if (seen + count >= total * share) {
      const low = index === 0 ? 0 : (durationBoundsMs[index - 1] ?? 0);
      const high = durationBoundsMs[index] ?? low * 1.5;
      return low + (high - low) * ((total * share - seen) / count);
    }
    seen += count;
  }
  return undefined;
}
