const rounds = 60;

export interface SideBySide {
  readonly name: string;
  /** The median cost of a call. */
  readonly us: number;
  /** To the first one. */
  readonly ratio: number;
}

/**
 * The median cost of a call of each, and how it compares with the first. All take turns, so that whatever else the
 * machine does slows all of them; a ratio is the median of the ratios within each turn.
 */
export async function sideBySide(
  calls: Readonly<Record<string, () => unknown>>,
  callsPerRound = 3_000,
): Promise<readonly SideBySide[]> {
  const all = Object.entries(calls).map(([name, call]) => ({ name, call, us: [] as number[] }));
  for (let round = 0; round < rounds; round++)
    for (const { call, us } of all) us.push(await usPerCall(call, callsPerRound));
  const base = all[0]?.us ?? [];
  return all.map(({ name, us }) => ({
    name,
    us: median(us),
    ratio: median(us.map((cost, round) => cost / (base[round] ?? Number.NaN))),
  }));
}

async function usPerCall(call: () => unknown, callsPerRound: number): Promise<number> {
  const startedAt = performance.now();
  for (let count = 0; count < callsPerRound; count++) await call();
  return ((performance.now() - startedAt) * 1_000) / callsPerRound;
}

/** Without the first third, in which the code is still being compiled. */
function median(values: readonly number[]): number {
  const warm = values.slice(values.length / 3).sort((a, b) => a - b);
  return warm[warm.length >> 1] ?? Number.NaN;
}
