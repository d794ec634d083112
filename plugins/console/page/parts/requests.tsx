import { useState } from 'preact/hooks';
import type { KeptRequest, KeptSpan, Live } from '../../src/model.ts';
import { lasting, outcomeTones, outcomeWords, statusTone, timeOf } from '../words.ts';
import { Code, Empty, Section } from './basics.tsx';

const choices = { all: 'All', notable: 'Failed or repeated', slow: 'Slowest' } as const;
type Choice = keyof typeof choices;

const firstShown = 12;

export function RecentRequests({ requests, live }: { requests: readonly KeptRequest[]; live: Live }) {
  const [choice, setChoice] = useState<Choice>('all');
  const [open, setOpen] = useState<number>();
  const [frozen, setFrozen] = useState<readonly KeptRequest[]>();
  const [isLong, setIsLong] = useState(false);
  const all = chosen(frozen ?? requests, choice);
  const shown = isLong ? all : all.slice(0, firstShown);
  const longest = Math.max(1, ...shown.map(({ durationMs }) => durationMs));
  // While one is read, the list does not move.
  const toggle = (id: number) => {
    setOpen(open === id ? undefined : id);
    setFrozen(open === id ? undefined : requests);
  };
  return (
    <Section
      id="requests"
      title="Recent requests"
      note={live.counts ? 'a sample, with sessions, attempts and statements' : 'turned off in the configuration'}
    >
      <fieldset class="choices">
        <legend class="hidden">Which requests</legend>
        {Object.entries(choices).map(([name, label]) => (
          <label key={name} class={choice === name ? 'chosen' : ''}>
            <input
              type="radio"
              name="which-requests"
              checked={choice === name}
              onChange={() => {
                setChoice(name as Choice);
                setOpen(undefined);
                setFrozen(undefined);
              }}
            />
            {label}
          </label>
        ))}
        {frozen !== undefined && <span class="fine">paused while one is open</span>}
      </fieldset>
      {shown.length === 0 && (
        <Empty>{choice === 'notable' ? 'None failed, and none was repeated.' : 'None yet.'}</Empty>
      )}
      <ol class="requests">
        {shown.map(request => (
          <li key={request.id}>
            <button
              type="button"
              class="request"
              aria-expanded={open === request.id}
              onClick={() => toggle(request.id)}
            >
              <time>{timeOf(request.at)}</time>
              <span class={`status ${statusTone(request.status)}`}>{request.status ?? 'cut'}</span>
              <span class="name">
                {request.name}
                {request.code !== undefined && (
                  <>
                    {' '}
                    <Code>{request.code}</Code>
                  </>
                )}
                {request.repeated > 0 && <span class="tag warn">repeated {request.repeated}×</span>}
              </span>
              <span class="bar" aria-hidden="true">
                <span
                  class={statusTone(request.status)}
                  style={{ width: `${(request.durationMs / longest) * 100}%` }}
                />
              </span>
              <span class="duration">{lasting(request.durationMs)}</span>
            </button>
            {open === request.id && <Waterfall request={request} />}
          </li>
        ))}
      </ol>
      {all.length > firstShown && (
        <button type="button" class="more" aria-expanded={isLong} onClick={() => setIsLong(!isLong)}>
          {isLong ? 'Show fewer' : `Show all ${all.length}`}
        </button>
      )}
    </Section>
  );
}

function chosen(requests: readonly KeptRequest[], choice: Choice): KeptRequest[] {
  const latest = requests.toSorted((a, b) => b.at - a.at);
  if (choice === 'slow') return latest.sort((a, b) => b.durationMs - a.durationMs);
  if (choice === 'notable')
    return latest.filter(
      ({ status, repeated, outcome }) => repeated > 0 || outcome === 'error' || (status ?? 500) >= 500,
    );
  return latest;
}

function Waterfall({ request }: { request: KeptRequest }) {
  const { spans, durationMs, requestId, traceId, more } = request;
  const whole = Math.max(durationMs, ...spans.map(span => span.startMs + (span.durationMs ?? 0)), 0.01);
  return (
    <div class="waterfall">
      <p class="fine ids">
        {requestId !== undefined && (
          <span>
            request <code>{requestId}</code>
          </span>
        )}
        {traceId !== undefined && (
          <span>
            trace <code>{traceId}</code>
          </span>
        )}
      </p>
      <ol>
        {inOrder(spans).map(({ span, depth, index }) => (
          <li key={index} class="span">
            <span class="span-name" style={{ paddingInlineStart: `${depth * 14}px` }}>
              <span class="what">{nameOf(span)}</span>
              {span.detail !== undefined && <span class="fine"> {detailOf(span)}</span>}
              {span.outcome === 'error' && <span class="tag bad">{span.kind ?? outcomeWords[span.outcome]}</span>}
            </span>
            <span class="span-track" aria-hidden="true">
              <span
                class={outcomeTones[span.outcome]}
                style={{
                  marginInlineStart: `${(span.startMs / whole) * 100}%`,
                  width: `${Math.max(0.4, ((span.durationMs ?? whole - span.startMs) / whole) * 100)}%`,
                }}
              />
            </span>
            <span class="duration">
              {span.durationMs === undefined ? 'runs' : lasting(span.durationMs)}
              <span class="hidden"> after {lasting(span.startMs)}</span>
            </span>
          </li>
        ))}
      </ol>
      {more > 0 && <p class="fine">{more} more are not kept.</p>}
    </div>
  );
}

function nameOf({ operation, name, detail }: KeptSpan): string {
  if (operation === 'db.session') return `session ${detail?.split(', ')[0] ?? ''}`.trimEnd();
  if (operation === 'db.attempt') return /attempt \d+/.exec(detail ?? '')?.[0] ?? 'attempt';
  return name;
}

/** Without what the name has already. */
function detailOf({ operation, detail = '' }: KeptSpan): string {
  if (operation !== 'db.session' && operation !== 'db.attempt') return detail;
  return detail
    .split(', ')
    .filter((part, index) => !(operation === 'db.session' ? index === 0 : part.startsWith('attempt ')))
    .join(', ');
}

interface Placed {
  readonly span: KeptSpan;
  readonly depth: number;
  readonly index: number;
}

/** Each span after its parent, in the order in which they started. */
function inOrder(spans: readonly KeptSpan[]): Placed[] {
  const below = Map.groupBy(
    spans.map((span, index) => ({ span, index })),
    ({ span }) => span.parent ?? -1,
  );
  const walk = (parent: number, depth: number): Placed[] =>
    (below.get(parent) ?? []).flatMap(({ span, index }) => [{ span, depth, index }, ...walk(index, depth + 1)]);
  return walk(-1, 0);
}
