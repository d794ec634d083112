import type { Clock } from '../contract/clock.js';
import type { Labels, Metrics } from '../contract/slots/metrics.js';

/** Not `job`: that is how Prometheus calls the group of instances that it scrapes. */
const name = 'job.name';

/** Runs the work of a job, and measures the run. What the work returns or throws passes through. */
export type MeasuredJob = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Returns what runs a background job: each run is measured under the name of the job, low in cardinality, with how it ended.
 * Where nothing is measured, the work is only run.
 */
export function measureJob(metrics: Metrics, job: string, clock: Pick<Clock, 'now'>): MeasuredJob {
  if (metrics.silent === true) return work => work();
  const durations = metrics.histogram({
    name: 'job.duration',
    description: 'Runs of background jobs, by how they ended',
    unit: 's',
    labels: [name, 'outcome'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1_800],
  });
  const succeeded: Labels = Object.freeze({ [name]: job, outcome: 'success' });
  const failed: Labels = Object.freeze({ [name]: job, outcome: 'failure' });
  return async work => {
    const startedAt = clock.now();
    let labels = failed;
    try {
      const result = await work();
      labels = succeeded;
      return result;
    } finally {
      durations.record((clock.now() - startedAt) / 1_000, labels);
    }
  };
}
