import type { Counts } from './counts.js';
import type { CellResult, Sample } from './measure.js';
import type { MicroFigure } from './micro-report.js';
import type { BenchOptions } from './options.js';
import type { Scenario } from './requests.js';
import { type Ratio, ratioOf } from './statistics.js';

/** All that one run has found. */
export interface BenchResults {
  readonly machine: readonly (readonly [name: string, value: string])[];
  readonly options: BenchOptions;
  readonly cells: readonly CellResult[];
  /** In ms, by the name of the service. */
  readonly boots: ReadonlyMap<string, readonly number[]>;
  readonly counts: ReadonlyMap<string, ReadonlyMap<Scenario, Counts>>;
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
