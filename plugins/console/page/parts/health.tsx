import type { History, Live } from '../../src/model.ts';
import { healthTones, healthWords, lasting, timeOf } from '../words.ts';
import { Empty, Mark, Section } from './basics.tsx';

export function Health({ live, history }: { live: Live; history: History | undefined }) {
  const { checks } = live.readiness;
  return (
    <Section id="health" title="Health" note={`/readyz ${healthWords[live.readiness.status]}`}>
      <div class="columns">
        <div>
          <h3>Now</h3>
          {checks.length === 0 && <Empty>The service has no checks.</Empty>}
          <ul class="checks">
            {checks.map(({ name, status, critical, output, durationMs }) => (
              <li key={name}>
                <Mark tone={healthTones[status]}>{healthWords[status]}</Mark>
                <span>
                  {name}
                  {!critical && <span class="fine"> not critical</span>}
                  {durationMs !== undefined && <span class="fine"> {lasting(durationMs)}</span>}
                  {output !== undefined && <span class="output">{output}</span>}
                </span>
              </li>
            ))}
          </ul>
        </div>
        <div>
          <h3>Changes since the start</h3>
          <Changes history={history} />
        </div>
      </div>
    </Section>
  );
}

const mostShown = 40;

/** Checks and events in one list. */
function Changes({ history }: { history: History | undefined }) {
  const lines = [
    ...(history?.health ?? []).map(({ at, check, to, output }, index) => ({
      key: `health ${index}`,
      at,
      tone: to === 'gone' ? ('quiet' as const) : healthTones[to],
      text: `${check} ${healthWords[to]}`,
      more: output,
    })),
    ...(history?.events ?? []).map(({ at, level, message, kind }, index) => ({
      key: `event ${index}`,
      at,
      tone: ({ info: 'good', warn: 'warn', error: 'bad' } as const)[level],
      text: message,
      more: kind,
    })),
  ].sort((a, b) => b.at - a.at);
  if (lines.length === 0) return <Empty>None.</Empty>;
  return (
    <ol class="changes">
      {lines.slice(0, mostShown).map(({ key, at, tone, text, more }) => (
        <li key={key}>
          <time>{timeOf(at)}</time>
          <span>
            <Mark tone={tone}>{text}</Mark>
            {more !== undefined && <span class="output">{more}</span>}
          </span>
        </li>
      ))}
    </ol>
  );
}
