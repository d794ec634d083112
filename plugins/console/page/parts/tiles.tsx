import type { Live, Sample } from '../../src/model.ts';
import { type Point, p95Of, ratesOf, recent, valuesOf } from '../series.ts';
import { bytes, lasting, rate, type Tone } from '../words.ts';
import { Spark } from './spark.tsx';

/** The numbers of the service now, each with its last minutes. */
export function Tiles({ live, samples }: { live: Live; samples: readonly Sample[] }) {
  const now = samples.at(-1)?.at ?? 0;
  const failed = ratesOf(samples, sample => sample.failed);
  const repeated = ratesOf(samples, sample => sample.repeated);
  const late = valuesOf(samples, sample => sample.loopLateMs);
  const p95 = p95Of(samples);
  const last = samples.at(-1);
  const cpu = ratesOf(samples, sample => sample.cpuMs / 10);
  return (
    <ul class="tiles" aria-label="Numbers of the last seconds">
      {live.counts && (
        <>
          <Tile
            name="Requests"
            value={rateText(ratesOf(samples, sample => sample.answers))}
            unit="/s"
            points={ratesOf(samples, sample => sample.answers)}
            now={now}
          />
          <Tile
            name="Failed"
            value={rateText(failed)}
            unit="/s"
            points={failed}
            now={now}
            tone={toneOf(failed, 'bad')}
          />
          <Tile
            name="p95 duration"
            value={lasting(p95.at(-1)?.value ?? 0)}
            points={p95}
            now={now}
            none={p95.length === 0}
          />
          <Tile
            name="Repeated sessions"
            value={rateText(repeated)}
            unit="/s"
            points={repeated}
            now={now}
            tone={toneOf(repeated, 'warn')}
          />
        </>
      )}
      <Tile
        name="Event loop late"
        value={lasting(last?.loopLateMs ?? 0)}
        points={late}
        now={now}
        top={50}
        tone={(last?.loopLateMs ?? 0) > 500 ? 'warn' : 'plain'}
      />
      <Tile
        name="CPU"
        value={`${Math.round(recent(cpu, 3_000) ?? 0)}`}
        unit="%"
        points={cpu}
        now={now}
        top={100}
        none={cpu.length === 0}
      />
      <Tile
        name="Memory"
        value={bytes(last?.rssBytes ?? 0)}
        points={valuesOf(samples, sample => sample.rssBytes)}
        now={now}
      />
    </ul>
  );
}

interface TileProps {
  readonly name: string;
  readonly value: string;
  readonly unit?: string;
  readonly points: readonly Point[];
  readonly now: number;
  readonly tone?: Tone | 'plain';
  readonly top?: number;
  /** Nothing is known yet. */
  readonly none?: boolean;
}

function Tile({ name, value, unit, points, now, tone = 'plain', top = 1, none }: TileProps) {
  return (
    <li class="tile">
      <p class="tile-name">{name}</p>
      <p class={`tile-value ${tone}`}>
        {none === true ? '–' : value}
        {unit !== undefined && none !== true && <span class="unit">{unit}</span>}
      </p>
      <Spark lines={[{ points, tone, filled: true }]} now={now} top={top} />
    </li>
  );
}

function rateText(points: readonly Point[]): string {
  return rate(recent(points, 3_000) ?? 0);
}

/** Coloured while it is not zero. */
function toneOf(points: readonly Point[], tone: Tone): Tone | 'plain' {
  return (recent(points, 3_000) ?? 0) > 0 ? tone : 'plain';
}
