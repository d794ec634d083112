import { useState } from 'preact/hooks';
import type { Levels, Live, OperationOf } from '../../src/model.ts';
import { timeOf } from '../words.ts';
import { Empty, Section } from './basics.tsx';
import type { Run } from './dialog.tsx';

interface Props {
  readonly live: Live;
  readonly plugins: readonly string[];
  readonly onRun: (run: Run) => void;
}

export function Operations({ live, plugins, onRun }: Props) {
  const { operations } = live;
  return (
    <Section id="operations" title="Operations" note="each asks before it runs; the service logs it">
      {live.levels.map(levels => (
        <LevelSwitch key={levels.plugin} levels={levels} plugins={plugins} operations={operations} onRun={onRun} />
      ))}
      {operations.length === 0 && <Empty>No plugin has an operation.</Empty>}
      <ul class="operations">
        {operations.map(operation => (
          <li key={`${operation.plugin} ${operation.name}`}>
            <button
              type="button"
              onClick={() =>
                onRun({
                  plugin: operation.plugin,
                  operation: operation.name,
                  title: `Run ${operation.plugin} ${operation.name}?`,
                  effect: operation.description,
                  named: {},
                  ask: operation.arguments,
                })
              }
            >
              {operation.plugin} {operation.name}…
            </button>
            <span class="fine">{operation.description}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

const durations = { '5m': '5 minutes', '15m': '15 minutes', '1h': '1 hour' } as const;

function LevelSwitch(props: {
  levels: Levels;
  plugins: readonly string[];
  operations: readonly OperationOf[];
  onRun: Props['onRun'];
}) {
  const { levels, plugins, operations, onRun } = props;
  const operation = operations.find(({ plugin, name }) => plugin === levels.plugin && name === 'level');
  const known = operation?.arguments.find(({ name }) => name === 'level')?.choices ?? [];
  const [level, setLevel] = useState('debug');
  const [of, setOf] = useState('');
  const [forMs, setForMs] = useState<keyof typeof durations>('5m');
  const whose = of === '' ? 'all plugins' : of;
  return (
    <article class="card level" aria-label="Log level">
      <header class="card-head">
        <h3>
          <span class="kind">log level</span> {levels.level}
        </h3>
        {levels.temporary.map(each => (
          <span key={each.plugin ?? ''} class="tag warn">
            {each.plugin ?? 'all'} {each.level} until {timeOf(Date.parse(each.until))}
          </span>
        ))}
      </header>
      <div class="fields">
        <label>
          Level
          <select value={level} onChange={event => setLevel(event.currentTarget.value)}>
            {known.map(name => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Of
          <select value={of} onChange={event => setOf(event.currentTarget.value)}>
            <option value="">all plugins</option>
            {plugins.map(name => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          For
          <select value={forMs} onChange={event => setForMs(event.currentTarget.value as keyof typeof durations)}>
            {Object.entries(durations).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          onClick={() =>
            onRun({
              plugin: levels.plugin,
              operation: 'level',
              title: `Log ${level} of ${whose} for ${durations[forMs]}?`,
              effect: 'The configured level then returns by itself.',
              named: { level, forMs, ...(of !== '' && { plugin: of }) },
            })
          }
        >
          Change…
        </button>
        {levels.temporary.length > 0 && (
          <button
            type="button"
            onClick={() =>
              onRun({
                plugin: levels.plugin,
                operation: 'reset-level',
                title: 'Return to the configured level?',
                effect: 'This ends the temporary level now.',
                named: levels.temporary[0]?.plugin === undefined ? {} : { plugin: levels.temporary[0].plugin },
              })
            }
          >
            Return now…
          </button>
        )}
      </div>
    </article>
  );
}
