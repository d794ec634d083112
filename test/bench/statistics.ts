export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const lower = sorted[sorted.length % 2 === 0 ? middle - 1 : middle] ?? Number.NaN;
  return (upper + lower) / 2;
}

/** A figure beside the baseline's, compared within each round: what slows the machine then slows both. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export function ratioOf(values: readonly number[], baseline: readonly number[]): Ratio {
  const ratios = values.map((value, round) => value / (baseline[round] ?? Number.NaN)).filter(Number.isFinite);
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}

/** How far a ratio is from 1, the same in both directions: 1.25 and 0.8 differ by 0.25. */
export function differenceOf(ratio: number): number {
  return Math.max(ratio, 1 / ratio) - 1;
}
