import type { History, Outage } from '../../src/model.ts';
import { answerWords, lasting, timeOf, times } from '../words.ts';
import { Code, Empty, Mark, Section } from './basics.tsx';

/** Those that are over: the one that lasts is at the top of the page. */
export function Outages({ history, lasts }: { history: History | undefined; lasts: boolean }) {
  const outages = (history?.outages ?? []).filter(({ endedAt }) => endedAt !== undefined);
  return (
    <Section id="outages" title="Outages" note="since the start, the latest first">
      {outages.length === 0 && <Empty>{lasts ? 'None but the one above.' : 'None.'}</Empty>}
      <ol class="outages">
        {outages.map(outage => (
          <li key={outage.id}>
            <OutageCard outage={outage} />
          </li>
        ))}
      </ol>
    </Section>
  );
}

export function OutageCard({ outage }: { outage: Outage }) {
  const { startedAt, endedAt, troubles, answers, others, repeated } = outage;
  const total = answers.reduce((sum, { count }) => sum + count, 0);
  return (
    <article class={`card outage ${endedAt === undefined ? 'is-open' : ''}`}>
      <header class="card-head">
        <h3>{timeOf(startedAt)}</h3>
        {endedAt === undefined ? (
          <Mark tone="bad">lasts for {lasting(Date.now() - startedAt)}</Mark>
        ) : (
          <Mark tone="quiet">lasted {lasting(endedAt - startedAt)}</Mark>
        )}
      </header>
      <div class="outage-parts">
        <div>
          <h4>What happened</h4>
          <ol class="troubles">
            {troubles.map(({ what, kind, startedAt: at, endedAt: until }) => (
              <li key={`${what} ${at}`}>
                <time>{timeOf(at)}</time>
                <span>
                  {what}
                  {kind !== undefined && (
                    <>
                      {' '}
                      <Code>{kind}</Code>
                    </>
                  )}
                  <span class="fine"> {until === undefined ? 'still' : `for ${lasting(until - at)}`}</span>
                </span>
              </li>
            ))}
          </ol>
        </div>
        <div>
          <h4>What callers got</h4>
          {total === 0 && <p class="fine">No request was answered meanwhile.</p>}
          <table class="answers">
            <caption class="hidden">Answers during this outage</caption>
            <thead class="hidden">
              <tr>
                <th scope="col">Requests</th>
                <th scope="col">Answer</th>
                <th scope="col">Meaning</th>
              </tr>
            </thead>
            <tbody>
              {answers.map(answer => {
                const { word, tone } = answerWords(answer);
                return (
                  <tr key={`${answer.status} ${answer.code}`}>
                    <td class="count">{answer.count.toLocaleString('en')}</td>
                    <td class="answer">
                      <span class={`status ${tone}`}>{answer.status ?? '–'}</span>{' '}
                      {answer.code !== undefined && <Code>{answer.code}</Code>}
                      <span class="bar" aria-hidden="true">
                        <span class={tone} style={{ width: `${(answer.count / total) * 100}%` }} />
                      </span>
                    </td>
                    <td class="meaning">{word}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
          {others > 0 && <p class="fine">{times(others, 'further answer')} of other kinds.</p>}
          {repeated > 0 && (
            <p class="fine">
              {times(repeated, 'attempt')} of sessions lost the connection. Their sessions ran again while the callers
              waited.
            </p>
          )}
        </div>
      </div>
    </article>
  );
}
