import { expect, test } from 'vitest';
import { silentMetrics } from '../contract/slots/metrics.js';
import { FakeClock } from '../testing/fake-clock.js';
import { RecordingMetrics } from '../testing/recording-metrics.js';
import { measureJob } from './job-metrics.js';

test('each run of a job is measured by how it ended, and its result and error pass through', async () => {
  const metrics = new RecordingMetrics();
  const clock = new FakeClock();
  const run = measureJob(metrics, 'orders.settle', clock);
  const result = run(async () => {
    await clock.sleep(2_000);
    return 7;
  });
  await clock.advance(2_000);
  expect(await result).toBe(7);
  const error = new Error('of the job');
  await expect(run(() => Promise.reject(error))).rejects.toBe(error);
  const early = () => {
    throw error;
  };
  await expect(run(early)).rejects.toBe(error);
  expect(metrics.recorded('job.duration', { 'job.name': 'orders.settle', outcome: 'success' })).toEqual([2]);
  expect(metrics.recorded('job.duration', { 'job.name': 'orders.settle', outcome: 'failure' })).toEqual([0, 0]);
});

test('where nothing is measured, the work is only run', async () => {
  const run = measureJob(silentMetrics, 'orders.settle', { now: () => expect.unreachable() });
  expect(await run(async () => 7)).toBe(7);
});
