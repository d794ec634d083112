import type { CheckReport, HealthService, HealthStatus, Metrics, Observation } from '@keelson/core';

const statuses: readonly HealthStatus[] = ['pass', 'warn', 'fail'];

/** Shows what readiness says at each collection; no check is run for it. Disposing of the result ends it. */
export function measureHealth(metrics: Metrics, health: Pick<HealthService, 'report'>): Disposable {
  const gauges = [
    metrics.gauge(
      {
        name: 'health.status',
        description: '1 for the status of readiness, 0 for the other statuses',
        unit: '{service}',
        labels: ['status'],
      },
      () => oneHot(health.report('ready').status, {}),
    ),
    metrics.gauge(
      {
        name: 'health.check.status',
        description: '1 for the status of the check, 0 for the other statuses',
        unit: '{check}',
        labels: ['check', 'status'],
      },
      () => health.report('ready').checks.flatMap(({ name: check, status }) => oneHot(status, { check })),
    ),
    metrics.gauge(
      {
        name: 'health.check.duration',
        description: 'How long the last sample of a check took',
        unit: 's',
        labels: ['check'],
      },
      () => health.report('ready').checks.flatMap(durationOf),
    ),
  ];
  return {
    [Symbol.dispose]() {
      for (const gauge of gauges) gauge[Symbol.dispose]();
    },
  };
}

function oneHot(now: HealthStatus, labels: Readonly<Record<string, string>>): readonly Observation[] {
  return statuses.map(status => ({ value: status === now ? 1 : 0, labels: { ...labels, status } }));
}

function durationOf({ name: check, durationMs }: CheckReport): readonly Observation[] {
  return durationMs === undefined ? [] : [{ value: durationMs / 1_000, labels: { check } }];
}
