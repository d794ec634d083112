import type { Breaker, Live, Pool, Sample } from '../../src/model.ts';
import { valuesOf } from '../series.ts';
import { breakerState, lasting, type Tone, timeOf, times } from '../words.ts';
import { Empty, Mark, Section } from './basics.tsx';
import type { Run } from './dialog.tsx';
import { Spark, Strip } from './spark.tsx';

interface Props {
  readonly live: Live;
  readonly samples: readonly Sample[];
  readonly onRun: (run: Run) => void;
}

export function Pools({ live, samples, onRun }: Props) {
  const now = samples.at(-1)?.at ?? 0;
  return (
    <Section id="pools" title="Pools and breakers" note="the last minutes">
      {live.pools.length === 0 && live.breakers.length === 0 && <Empty>No plugin has a pool or a breaker.</Empty>}
      <div class="cards">
        {live.pools.map(pool => (
          <PoolCard key={pool.plugin} pool={pool} samples={samples} now={now} />
        ))}
        {live.breakers.map(breaker => (
          <BreakerCard
            key={`${breaker.plugin} ${breaker.target}`}
            breaker={breaker}
            samples={samples}
            now={now}
            canHold={live.operations.some(({ plugin, name }) => plugin === breaker.plugin && name === 'hold')}
            onRun={onRun}
          />
        ))}
      </div>
    </Section>
  );
}

const stateTones: Readonly<Record<string, Tone>> = { connected: 'good', connecting: 'warn', error: 'bad' };
const stateWords: Readonly<Record<string, string>> = { error: 'lost' };

function PoolCard({ pool, samples, now }: { pool: Pool; samples: readonly Sample[]; now: number }) {
  const { plugin, state, since, cause, address, busy, waiting, total, max } = pool;
  const waits = valuesOf(samples, sample => sample.pools[plugin]?.[1]);
  return (
    <article class="card" aria-label={`Pool of ${plugin}`}>
      <header class="card-head">
        <h3>{plugin}</h3>
        <Mark tone={stateTones[state] ?? 'quiet'}>
          {stateWords[state] ?? state}
          {since !== undefined && ` since ${timeOf(Date.parse(since))}`}
          {cause !== undefined && ` (${cause})`}
        </Mark>
      </header>
      <dl class="numbers">
        <Figure name="busy" value={`${busy}`} of={`/ ${max}`} tone={busy >= max ? 'warn' : undefined} />
        <Figure
          name={waiting === 1 ? 'caller waits' : 'callers wait'}
          value={`${waiting}`}
          tone={waiting > 0 ? 'warn' : undefined}
        />
        <Figure name="open" value={`${total}`} />
      </dl>
      <Spark
        now={now}
        limit={max}
        lines={[
          { points: valuesOf(samples, sample => sample.pools[plugin]?.[0]), tone: 'plain', filled: true },
          ...(waits.some(({ value }) => value > 0) ? [{ points: waits, tone: 'warn' as const }] : []),
        ]}
      />
      {address !== undefined && <p class="fine">{address}</p>}
    </article>
  );
}

function Figure({ name, value, of, tone }: { name: string; value: string; of?: string; tone?: Tone | undefined }) {
  return (
    <div class={tone ?? ''}>
      <dt>{name}</dt>
      <dd>
        {value}
        {of !== undefined && <span class="unit"> {of}</span>}
      </dd>
    </div>
  );
}

const breakerTones: readonly Tone[] = ['good', 'warn', 'bad'];

function BreakerCard(props: {
  breaker: Breaker;
  samples: readonly Sample[];
  now: number;
  canHold: boolean;
  onRun: Props['onRun'];
}) {
  const { breaker, samples, now, canHold, onRun } = props;
  const { plugin, target, state, sinceMs, breakLeftMs, lastCause, waiting = 0 } = breaker;
  const { word, tone } = breakerState(state);
  const isHeld = state.startsWith('held-');
  const hold = (as: 'open' | 'closed') =>
    onRun({
      plugin,
      operation: 'hold',
      title: `Hold the breaker of ${target} ${as}?`,
      effect:
        as === 'open'
          ? `Every call to ${target} is refused at once, until the breaker is released or the process ends.`
          : `Every call to ${target} is let through, also while it fails, until the breaker is released or the process ends.`,
      named: { target, as },
      isDangerous: true,
    });
  return (
    <article class="card" aria-label={`Breaker of ${target}`}>
      <header class="card-head">
        <h3>
          <span class="kind">breaker</span> {target}
        </h3>
        <Mark tone={tone}>
          {word}
          {sinceMs !== undefined && state !== 'closed' && ` for ${lasting(sinceMs)}`}
        </Mark>
      </header>
      <p class="fine">
        {[
          breakLeftMs !== undefined && breakLeftMs > 0 && `probes in ${lasting(breakLeftMs)}`,
          waiting > 0 && `${times(waiting, 'call')} wait`,
          lastCause !== undefined && `last cause ${lastCause}`,
        ]
          .filter(Boolean)
          .join(', ') || 'no error of the target since the start'}
      </p>
      <Strip points={valuesOf(samples, sample => sample.breakers[target])} now={now} tones={breakerTones} />
      {canHold && (
        <div class="actions">
          {state !== 'held-open' && (
            <button type="button" onClick={() => hold('open')}>
              Hold open…
            </button>
          )}
          {state !== 'held-closed' && (
            <button type="button" onClick={() => hold('closed')}>
              Hold closed…
            </button>
          )}
          {isHeld && (
            <button
              type="button"
              onClick={() =>
                onRun({
                  plugin,
                  operation: 'release',
                  title: `Release the breaker of ${target}?`,
                  effect: 'It closes, and opens again by its own rules.',
                  named: { target },
                })
              }
            >
              Release…
            </button>
          )}
        </div>
      )}
    </article>
  );
}
