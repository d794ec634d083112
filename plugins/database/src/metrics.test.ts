import { RecordingMetrics } from '@keelson/core/testing';
import { expect, test } from 'vitest';
import type { PoolStats } from './driver/driver.js';
import { DatabaseMetrics } from './metrics.js';

const counters = { acquired: 0, waited: 0, timedOut: 0, refused: 0, waitMs: [], opened: 0, discarded: {} };
const stats: PoolStats = { total: 0, idle: 0, busy: 0, waiting: 0, max: 10, counters };

test('commits that were not answered are counted by database, by the proof that was asked, and by what it said', () => {
  const metrics = new RecordingMetrics();
  const database = new DatabaseMetrics(metrics, 'database/reporting', { stats: () => stats });
  database.resolved('token', 'committed');
  database.resolved('token', 'aborted');
  database.resolved('transaction-id', 'unknown');
  const counted = (labels: Record<string, string>) => metrics.value('db.client.commit.resolutions', labels);
  expect(counted({ 'keelson.commit.proof': 'token' })).toBe(2);
  expect(counted({ 'keelson.commit.proof': 'token', 'keelson.commit.outcome': 'aborted' })).toBe(1);
  expect(counted({ 'db.client.connection.pool.name': 'database/reporting', 'keelson.commit.outcome': 'unknown' })).toBe(
    1,
  );
});
