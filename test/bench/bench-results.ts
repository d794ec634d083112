import type { Counts } from './counts.js';
import type { CellResult, Sample } from './measure.js';
import type { MicroFigure } from './micro-report.js';
import type { BenchOptions } from './options.js';
import type { Scenario } from './requests.js';
import type { RestartResult } from './restart.js';
import { baseline, baselineAgain } from './service-kinds.js';
import { differenceOf, type Ratio, ratioOf } from './statistics.js';

/** All that one run has found. */
export interface BenchResults {
  readonly machine: readonly (readonly [name: string, value: string])[];
  readonly options: BenchOptions;
  readonly cells: readonly CellResult[];
  /** In ms, by the name of the service. */
  readonly starts: ReadonlyMap<string, readonly number[]>;
  readonly counts: ReadonlyMap<string, ReadonlyMap<Scenario, Counts>>;
  /** By the name of the service. */
  readonly restarts: ReadonlyMap<string, RestartResult>;
  readonly figures: readonly MicroFigure[];
}

export type Measure = Exclude<keyof Sample, 'failures'>;

/** Of one service beside another in one cell; undefined where one of them was not measured. */
export function compared(result: CellResult, measure: Measure, name: string, beside: string): Ratio | undefined {
  const samples = result.samples.get(name);
  const others = result.samples.get(beside);
  if (samples === undefined || others === undefined) return undefined;
  const values = (of: readonly Sample[]) => of.map(sample => sample[measure]);
  return ratioOf(values(samples), values(others));
}

/** By how much the same service differs from itself: 0.12 is 12 %. Undefined where it was not measured twice. */
export function noiseOf(result: CellResult, measure: Measure): number | undefined {
  const again = compared(result, measure, baselineAgain, baseline);
  return again && differenceOf(again.median);
}

/** Of the starts. */
export function startNoiseOf({ starts }: BenchResults): number | undefined {
  const [times, others] = [starts.get(baselineAgain), starts.get(baseline)];
  return times && others && differenceOf(ratioOf(times, others).median);
}

/** More than that, and a ratio in the same row is not to be relied on. */
export const tolerableNoise = 0.1;

export function isNoisy(noise: number | undefined): noise is number {
  return noise !== undefined && noise > tolerableNoise;
}
