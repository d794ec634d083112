/** Something that took a part of the time of a start. Times are in milliseconds since the process began. */
export interface Span {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** How many modules it loaded; undefined where they cannot be counted. */
  readonly modules?: number;
}

/** All spans of one name. */
export interface ProfileLine {
  readonly name: string;
  /** When the first of them began. */
  readonly atMs: number;
  readonly tookMs: number;
  /** The time that no span that began earlier covers. Those of all lines add up to the time until ready. */
  readonly addsMs: number;
  readonly modules?: number;
}

/** Returns one line for each name, in the order of time. The spans leave no gaps; some run side by side. */
export function addUp(spans: readonly Span[]): ProfileLine[] {
  const lines = new Map<string, ProfileLine>();
  let covered = 0;
  for (const { name, from, to, modules } of inTime(spans)) {
    const line = lines.get(name) ?? { name, atMs: from, tookMs: 0, addsMs: 0 };
    const addsMs = line.addsMs + Math.max(0, to - Math.max(from, covered));
    const counted = modules === undefined ? {} : { modules: (line.modules ?? 0) + modules };
    lines.set(name, { ...line, tookMs: line.tookMs + to - from, addsMs, ...counted });
    covered = Math.max(covered, to);
  }
  return [...lines.values()];
}

/** Returns the times until `end` in which no span ran. */
export function gapsIn(spans: readonly Omit<Span, 'name'>[], end: number): { from: number; to: number }[] {
  const gaps: { from: number; to: number }[] = [];
  let covered = 0;
  for (const { from, to } of [...inTime(spans), { from: end, to: end }]) {
    if (from > covered) gaps.push({ from: covered, to: from });
    covered = Math.max(covered, to);
  }
  return gaps;
}

function inTime<T extends { readonly from: number }>(spans: readonly T[]): T[] {
  return [...spans].sort((a, b) => a.from - b.from);
}
