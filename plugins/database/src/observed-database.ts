import type { Labels, Metrics } from '@keelson/core';
import type { HostStats, PoolCounters, PoolStats } from './driver/driver.js';
import { type DatabaseState, databaseStates } from './state.js';

export const poolLabel = 'db.client.connection.pool.name';

/** What is read at each collection, and not measured while the service works. */
export interface DatabaseSource {
  stats(): PoolStats;
  state?(): DatabaseState['is'];
  hosts?(): readonly HostStats[];
}

/** Registers what the pool and the service count anyway: nothing of it is paid for before it is collected. */
export function observeDatabase(metrics: Metrics, pool: Labels, source: DatabaseSource): readonly Disposable[] {
  const { state, hosts } = source;
  const idleLabels: Labels = Object.freeze({ ...pool, 'db.client.connection.state': 'idle' });
  const usedLabels: Labels = Object.freeze({ ...pool, 'db.client.connection.state': 'used' });
  const gauge = (what: string, unit: string, description: string, read: (now: PoolStats) => number) =>
    metrics.gauge({ name: `db.client.connection.${what}`, description, unit, labels: [poolLabel] }, () => [
      { value: read(source.stats()), labels: pool },
    ]);
  const sum = (what: string, unit: string, description: string, read: (counters: PoolCounters) => number) =>
    metrics.gauge(
      { name: `db.client.connection.${what}`, description, unit, labels: [poolLabel], monotonic: true },
      () => [{ value: read(source.stats().counters), labels: pool }],
    );
  return [
    metrics.gauge(
      {
        name: 'db.client.connection.count',
        description: 'Connections, by state',
        unit: '{connection}',
        labels: [poolLabel, 'db.client.connection.state'],
      },
      () => {
        const { idle, busy } = source.stats();
        return [
          { value: idle, labels: idleLabels },
          { value: busy, labels: usedLabels },
        ];
      },
    ),
    gauge('max', '{connection}', 'Largest allowed number of connections', ({ max }) => max),
    gauge('pending_requests', '{request}', 'Sessions that wait for a connection', ({ waiting }) => waiting),
    sum('acquisitions', '{connection}', 'Connections lent', ({ acquired }) => acquired),
    sum('waits', '{connection}', 'Connections lent to callers that had waited for one', ({ waited }) => waited),
    sum('timeouts', '{timeout}', 'Sessions that got no connection in time', ({ timedOut }) => timedOut),
    sum('refusals', '{request}', 'Sessions that were refused because too many were waiting', ({ refused }) => refused),
    sum('opened', '{connection}', 'Connections opened', ({ opened }) => opened),
    sum('leaks', '{connection}', 'Connections that were lent for too long: probable leaks', ({ leaked = 0 }) => leaked),
    metrics.gauge(
      {
        name: 'db.client.connection.discards',
        description: 'Connections that the pool closed, by reason',
        unit: '{connection}',
        labels: [poolLabel, 'reason'],
        monotonic: true,
      },
      () =>
        Object.entries(source.stats().counters.discarded).map(([reason, value]) => ({
          value,
          labels: { ...pool, reason },
        })),
    ),
    ...(state === undefined ? [] : [observeState(metrics, pool, state)]),
    ...(hosts === undefined ? [] : [observeLag(metrics, pool, hosts)]),
  ];
}

function observeState(metrics: Metrics, pool: Labels, state: () => DatabaseState['is']): Disposable {
  const labelsOf = databaseStates.map(is => [is, Object.freeze({ ...pool, state: is })] as const);
  return metrics.gauge(
    {
      name: 'db.client.state',
      description: '1 for the state of the database, 0 for the other states',
      unit: '{database}',
      labels: [poolLabel, 'state'],
    },
    () => {
      const now = state();
      return labelsOf.map(([is, labels]) => ({ value: is === now ? 1 : 0, labels }));
    },
  );
}

function observeLag(metrics: Metrics, pool: Labels, hosts: () => readonly HostStats[]): Disposable {
  return metrics.gauge(
    {
      name: 'db.client.replica.lag',
      description: 'How far a replica was behind at the last check',
      unit: 's',
      labels: [poolLabel, 'server.address'],
    },
    () =>
      hosts().flatMap(({ host, lagMs }) =>
        lagMs === undefined ? [] : [{ value: lagMs / 1_000, labels: { ...pool, 'server.address': host } }],
      ),
  );
}
