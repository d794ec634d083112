import { useState } from 'preact/hooks';
import type { PlanAnswer, PlanGroup, PlanValue } from '../../src/model.ts';
import { times } from '../words.ts';
import { Empty, Section } from './basics.tsx';

export function PlanView({ plan }: { plan: PlanAnswer | undefined }) {
  const [words, setWords] = useState('');
  const [all, setAll] = useState(false);
  if (plan === undefined) return null;
  const { groups, files } = plan.plan;
  const shown = groups
    .map(group => ({ group, values: group.values.filter(value => isShown(value, all, words)) }))
    .filter(({ group, values }) => values.length > 0 || (words === '' && group.filledBy !== undefined));
  return (
    <Section id="plan" title="What runs, and why" note={`core ${plan.coreVersion}, Node ${plan.nodeVersion}`}>
      {plan.awaitingRestart.length > 0 && (
        <p class="problem warn">
          {times(plan.awaitingRestart.length, 'value')} of the configuration wait for a restart:{' '}
          {plan.awaitingRestart.map(({ path }) => path).join(', ')}
        </p>
      )}
      <div class="filter">
        <label>
          Search
          <input
            type="search"
            value={words}
            placeholder="pool, http.port, variable"
            onInput={event => setWords(event.currentTarget.value)}
          />
        </label>
        <label class="check">
          <input type="checkbox" checked={all} onChange={event => setAll(event.currentTarget.checked)} />
          Defaults and unset values
        </label>
      </div>
      {files.length > 0 && <p class="fine files">{files.join(', ')}</p>}
      {shown.length === 0 && <Empty>Nothing matches.</Empty>}
      <div class="plan">
        {shown.map(({ group, values }) => (
          <Group key={group.key} group={group} values={values} isOpen={words !== ''} />
        ))}
      </div>
    </Section>
  );
}

function Group({ group, values, isOpen }: { group: PlanGroup; values: readonly PlanValue[]; isOpen: boolean }) {
  const { key, filledBy, decoratedBy, decorates } = group;
  return (
    <details open={isOpen}>
      <summary>
        <span class="group-key">{key}</span>
        <span class="fine">{filledBy ?? 'settings of the kernel'}</span>
        <span class="fine set">{values.length === 0 ? '' : times(values.length, 'value')}</span>
      </summary>
      {decorates.length > 0 && <p class="fine">wraps {decorates.join(', ')}</p>}
      {decoratedBy.length > 0 && <p class="fine">wrapped by {decoratedBy.join(', ')}</p>}
      <dl class="values">
        {values.map(value => (
          <Value key={value.path} value={value} group={key} />
        ))}
      </dl>
    </details>
  );
}

function Value({ value, group }: { value: PlanValue; group: string }) {
  const { path, origin, written, over, description, reloadable } = value;
  const isSet = value.value !== undefined;
  return (
    <div>
      <dt>{path.startsWith(`${group}.`) ? path.slice(group.length + 1) : path}</dt>
      <dd>
        <code class="value">{isSet ? textOf(value.value) : 'not set'}</code>
        <span class="origin">
          {isSet && origin}
          {written !== undefined && written !== '' && <code> {written}</code>}
          {over.map(below => (
            <span key={below.origin}>
              , over <code>{textOf(below.value)}</code> from {below.origin}
            </span>
          ))}
          {reloadable && <span class="tag quiet">reloadable</span>}
        </span>
        {description !== undefined && <span class="fine">{description}</span>}
      </dd>
    </div>
  );
}

function isShown({ path, value, origin, description, written }: PlanValue, all: boolean, words: string): boolean {
  if (words === '') return all || (value !== undefined && origin !== 'default');
  const text = `${path} ${textOf(value)} ${origin} ${written ?? ''} ${description ?? ''}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every(word => text.includes(word));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
