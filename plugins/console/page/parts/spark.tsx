import { gapMs, type Point } from '../series.ts';
import type { Tone } from '../words.ts';

export interface Line {
  readonly points: readonly Point[];
  readonly tone: Tone | 'plain';
  /** Fills the area below. */
  readonly filled?: boolean;
}

const width = 300;
const height = 40;
const longestWindowMs = 180_000;
const shortestWindowMs = 60_000;

/** As long as there are samples, between one and three minutes. */
function windowOf(now: number, points: readonly Point[]): number {
  const oldest = Math.min(now, ...points.map(({ at }) => at));
  return Math.min(longestWindowMs, Math.max(shortestWindowMs, now - oldest));
}

/** The last minutes, without axes: the numbers beside it say how much. Read out by no screen reader. */
export function Spark(props: { lines: readonly Line[]; top?: number; limit?: number | undefined; now: number }) {
  const { lines, now, limit } = props;
  const windowMs = windowOf(
    now,
    lines.flatMap(({ points }) => points),
  );
  const highest = Math.max(
    props.top ?? 0,
    limit ?? 0,
    ...lines.flatMap(({ points }) => points.map(({ value }) => value)),
  );
  const y = (value: number) => height - 2 - (highest === 0 ? 0 : (value / highest) * (height - 5));
  const x = (at: number) => width - ((now - at) / windowMs) * width;
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      <line class="ground" x1="0" x2={width} y1={height - 1} y2={height - 1} />
      {limit !== undefined && <line class="limit" x1="0" x2={width} y1={y(limit)} y2={y(limit)} />}
      {lines.map(({ points, tone, filled }, index) => {
        const runs = runsOf(points.filter(({ at }) => now - at <= windowMs)).map(run =>
          run.map(({ at, value }) => [x(at), y(value)] as const),
        );
        return (
          <g key={index} class={tone}>
            {filled === true && runs.map(run => <path key={run[0]?.[0]} class="area" d={areaOf(run)} />)}
            {runs.map(run => (
              <path key={run[0]?.[0]} class="line" d={lineOf(run)} />
            ))}
          </g>
        );
      })}
    </svg>
  );
}

/** A strip of states: one colour for each stretch of time. */
export function Strip({ points, now, tones }: { points: readonly Point[]; now: number; tones: readonly Tone[] }) {
  const windowMs = windowOf(now, points);
  const shown = points.filter(({ at }) => now - at <= windowMs);
  return (
    <svg class="strip" viewBox={`0 0 ${width} 8`} preserveAspectRatio="none" aria-hidden="true">
      <rect class="unknown" width={width} height="8" />
      {shown.map(({ at, value }, index) => {
        const until = shown[index + 1]?.at ?? now;
        if (until - at > gapMs) return null;
        const left = width - ((now - at) / windowMs) * width;
        return (
          <rect
            key={at}
            class={tones[value] ?? 'quiet'}
            x={left}
            width={((until - at) / windowMs) * width + 0.6}
            height="8"
          />
        );
      })}
    </svg>
  );
}

/** Nothing is drawn across a gap. */
function runsOf(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [];
  let last: Point | undefined;
  for (const point of points) {
    if (last === undefined || point.at - last.at > gapMs) runs.push([]);
    runs.at(-1)?.push(point);
    last = point;
  }
  return runs;
}

function lineOf(run: readonly (readonly [number, number])[]): string {
  return run.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
}

function areaOf(run: readonly (readonly [number, number])[]): string {
  const [first] = run;
  const last = run.at(-1);
  if (first === undefined || last === undefined) return '';
  return `${lineOf(run)}L${last[0].toFixed(1)} ${height}L${first[0].toFixed(1)} ${height}Z`;
}
