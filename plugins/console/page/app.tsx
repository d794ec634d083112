import { useEffect, useState } from 'preact/hooks';
import type { InstanceEntry, Live, Outage } from '../src/model.ts';
import { Mark } from './parts/basics.tsx';
import { Boot } from './parts/boot.tsx';
import { ConfirmDialog, type Done, type Run } from './parts/dialog.tsx';
import { Health } from './parts/health.tsx';
import { LoginForm } from './parts/login.tsx';
import { Operations } from './parts/operations.tsx';
import { OutageCard, Outages } from './parts/outages.tsx';
import { PlanView } from './parts/plan.tsx';
import { Pools } from './parts/pools.tsx';
import { RecentRequests } from './parts/requests.tsx';
import { Tiles } from './parts/tiles.tsx';
import { type Seen, useInstance, useInstances, usePrevious } from './use-console.ts';
import { healthTones, healthWords, lasting, notPassing, type State, stateOf, timeOf } from './words.ts';

const places = [
  ['now', 'Now'],
  ['pools', 'Pools'],
  ['outages', 'Outages'],
  ['requests', 'Requests'],
  ['health', 'Health'],
  ['boot', 'Start'],
  ['plan', 'Plan'],
  ['operations', 'Operations'],
] as const;

export function App() {
  const [chosen, setChosen] = useState(() => location.hash.match(/^#@([\w-]+)$/)?.[1] ?? 'self');
  const [logins, setLogins] = useState(0);
  const [run, setRun] = useState<Run>();
  const [done, setDone] = useState<readonly Done[]>([]);
  const seen = useInstance(chosen, logins);
  const instances = useInstances(logins);
  if (seen.needsLogin) return <LoginForm onLogin={() => setLogins(logins + 1)} />;
  const { live, samples, history, requests, plan } = seen;
  const instance = instances.find(({ id }) => id === chosen) ?? { id: chosen, name: live?.service ?? 'this instance' };
  const siblings = instances.filter(
    each => each.id !== chosen && each.problem === undefined && each.service === live?.service,
  );
  const onRun = (next: Run) => {
    setDone([]);
    setRun(next);
  };
  return (
    <>
      <a class="skip" href="#now">
        Skip to the state of the service
      </a>
      <Head seen={seen} instances={instances} chosen={chosen} onChoose={setChosen} />
      <main>
        {seen.failure !== undefined && (
          <p class="banner bad" role="alert">
            {seen.failure.message} {live !== undefined && `The page shows the state at ${timeOf(seen.failure.since)}.`}
          </p>
        )}
        <Results done={done} onClose={() => setDone([])} />
        {live !== undefined && (
          <div class={seen.failure === undefined ? '' : 'stale'}>
            <section id="now" aria-labelledby="now-title">
              <h2 id="now-title" class="hidden">
                Now
              </h2>
              <NowLine seen={seen} />
              {live.openOutage !== undefined && <OutageCard outage={live.openOutage} />}
              <Tiles live={live} samples={samples} />
            </section>
            <Pools live={live} samples={samples} onRun={onRun} />
            <Outages history={history} lasts={live.openOutage !== undefined} />
            <RecentRequests key={chosen} requests={requests} live={live} />
            <Health live={live} history={history} />
            <Boot plan={plan} />
            <PlanView plan={plan} />
            <Operations live={live} plugins={pluginsOf(seen)} onRun={onRun} />
          </div>
        )}
      </main>
      {run !== undefined && (
        <ConfirmDialog
          run={run}
          instance={instance}
          siblings={siblings}
          onClose={results => {
            setRun(undefined);
            if (results.length > 0) setDone(results);
          }}
        />
      )}
    </>
  );
}

function Head(props: {
  seen: Seen;
  instances: readonly InstanceEntry[];
  chosen: string;
  onChoose: (id: string) => void;
}) {
  const { seen, instances, chosen, onChoose } = props;
  const { live } = seen;
  const state = stateIn(seen);
  useEffect(() => {
    document.title = live === undefined ? 'Console' : `${state.word} · ${live.service}`;
  }, [state.word, live?.service]);
  return (
    <header class="top">
      <div class="who">
        <h1>{live?.service ?? 'Console'}</h1>
        <Mark tone={state.tone}>{state.word}</Mark>
        {live !== undefined && (
          <p class="fine">
            {live.environment !== undefined && `${live.environment}, `}pid {live.pid}, up{' '}
            {lasting(Date.now() - live.startedAt)}
          </p>
        )}
      </div>
      <Announcer state={state} outage={live?.openOutage} />
      {instances.length > 1 && (
        <InstanceBar
          instances={instances.map(each => (each.id === chosen ? withLive(each, live) : each))}
          chosen={chosen}
          onChoose={onChoose}
        />
      )}
      <nav aria-label="Parts of the page">
        <ul>
          {places.map(([id, name]) => (
            <li key={id}>
              <a href={`#${id}`}>{name}</a>
            </li>
          ))}
        </ul>
      </nav>
    </header>
  );
}

function InstanceBar(props: { instances: readonly InstanceEntry[]; chosen: string; onChoose: (id: string) => void }) {
  const { instances, chosen, onChoose } = props;
  return (
    <ul class="instances" aria-label="Instances">
      {instances.map(({ id, name, pid, readiness, phase, problem }) => (
        <li key={id}>
          <button
            type="button"
            aria-pressed={id === chosen}
            disabled={problem !== undefined}
            onClick={() => onChoose(id)}
          >
            {name}
            {pid !== undefined && <span class="fine"> {pid}</span>}{' '}
            <Mark tone={problem === undefined && readiness !== undefined ? healthTones[readiness] : 'quiet'}>
              {problem ?? (phase === 'ready' ? wordOf(readiness) : phase)}
            </Mark>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The bar is asked for less often than the instance that is shown. */
function withLive(entry: InstanceEntry, live: Live | undefined): InstanceEntry {
  return live === undefined ? entry : { ...entry, phase: live.phase, readiness: live.readiness.status };
}

function wordOf(readiness: InstanceEntry['readiness']): string {
  return { pass: 'ready', warn: 'degraded', fail: 'not ready', unknown: 'unknown' }[readiness ?? 'unknown'];
}

function NowLine({ seen: { live, history } }: { seen: Seen }) {
  if (live === undefined) return null;
  const wrong = notPassing(live.readiness.checks);
  const last = history?.outages.find(({ endedAt }) => endedAt !== undefined);
  return (
    <div class="now-line">
      {wrong.length === 0 && 'All checks pass.'}
      <ul>
        {wrong.map(({ name, status, output }) => (
          <li key={name}>
            <Mark tone={healthTones[status]}>
              {name} {healthWords[status]}
            </Mark>
            {output !== undefined && <span class="fine">{output}</span>}
          </li>
        ))}
      </ul>
      {live.openOutage === undefined && (
        <span class="fine">
          {' '}
          {last?.endedAt === undefined
            ? 'No outage since the start.'
            : `The last outage was over at ${timeOf(last.endedAt)}, after ${lasting(last.endedAt - last.startedAt)}.`}
        </span>
      )}
    </div>
  );
}

/** Says to a screen reader when the state changes, and nothing else. */
function Announcer({ state, outage }: { state: State; outage: Outage | undefined }) {
  const before = usePrevious(state.word);
  const [text, setText] = useState('');
  useEffect(() => {
    if (before === undefined || before === 'No answer' || before === state.word) return;
    const [first] = outage?.troubles ?? [];
    setText(first === undefined ? state.word : `${state.word}: ${first.what}`);
  }, [state.word]);
  return (
    <p class="hidden" aria-live="polite">
      {text}
    </p>
  );
}

function Results({ done, onClose }: { done: readonly Done[]; onClose: () => void }) {
  return (
    <div role="status">
      {done.length > 0 && (
        <div class="banner">
          <ul>
            {done.map(({ instance, text, failed }) => (
              <li key={instance}>
                <Mark tone={failed ? 'bad' : 'good'}>{failed ? 'failed' : 'done'}</Mark>
                <span>
                  {done.length > 1 && `${instance}: `}
                  <span class="result">{text}</span>
                </span>
              </li>
            ))}
          </ul>
          <button type="button" onClick={onClose}>
            Close
          </button>
        </div>
      )}
    </div>
  );
}

function stateIn({ live, failure }: Seen): State {
  if (live === undefined || failure !== undefined) return { word: 'No answer', tone: 'quiet' };
  return stateOf({ phase: live.phase, readiness: live.readiness.status, openOutage: live.openOutage });
}

function pluginsOf({ plan }: Seen): string[] {
  return (plan?.plan.groups ?? []).flatMap(({ key, use }) => (use === undefined ? [] : [key])).sort();
}
