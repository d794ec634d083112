import { type ServiceStatus, systemClock } from '@keelson/core';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { consoleOptions } from '../options.js';
import { LiveSamples } from './live.js';
import { Watch } from './watch.js';

let now: number;
let asked: number;
let live: LiveSamples;

const status: ServiceStatus = {
  service: 'shop',
  phase: 'ready',
  readiness: { status: 'warn', checks: [{ name: 'mail', critical: false, status: 'warn', output: 'slow' }] },
  awaitingRestart: [],
  plugins: [
    {
      key: 'database',
      use: '@keelson/database-postgresql',
      outcome: 'started',
      facts: { state: 'error', cause: { sqlState: '57P01' }, pool: { total: 3, busy: 2, waiting: 1, max: 5 } },
      findings: [],
      operations: [],
    },
    {
      key: 'retry',
      use: '@keelson/retry-opossum',
      outcome: 'started',
      facts: {
        targets: { database: { breaker: { state: 'held-open', lastCause: { code: 'ECONNREFUSED' } } }, odd: 1 },
      },
      findings: [],
      operations: [],
    },
    {
      key: 'strange',
      use: 'strange',
      outcome: 'started',
      facts: { pool: 'none', targets: [1] },
      findings: [],
      operations: [],
    },
  ],
};

beforeEach(() => {
  now = 1_000_000;
  asked = 0;
  const watch = new Watch(consoleOptions.parse({}), systemClock);
  live = new LiveSamples({
    service: {
      status: async () => {
        asked += 1;
        return status;
      },
    },
    traffic: watch.traffic,
    outages: watch.outages,
    health: watch.health,
    historyRevision: () => watch.revision,
    now: () => now,
    startedAt: 0,
  });
  onTestFinished(() => live[Symbol.dispose]());
});

test('takes no sample before a page asks, and one a second for all pages together', async () => {
  expect(asked).toBe(0);
  await Promise.all([live.after(0), live.after(0)]);
  now += 500;
  await live.after(1);
  expect(asked).toBe(1);
  now += 500;
  const { samples } = await live.after(1);
  expect([asked, samples.map(({ number }) => number)]).toEqual([2, [2]]);
});

test('shows pools and breakers that plugins report, and nothing of facts of another shape', async () => {
  const { pools, breakers, samples, readiness } = await live.after(0);
  expect(pools).toEqual([
    { plugin: 'database', state: 'error', cause: '57P01', total: 3, busy: 2, waiting: 1, max: 5 },
  ]);
  expect(breakers).toEqual([{ plugin: 'retry', target: 'database', state: 'held-open', lastCause: 'ECONNREFUSED' }]);
  expect(samples).toMatchObject([{ pools: { database: [2, 1, 3] }, breakers: { database: 2 }, answers: 0 }]);
  expect(readiness.checks).toEqual([{ name: 'mail', status: 'warn', critical: false, output: 'slow' }]);
});

test('keeps five minutes of samples, and none once no page is open', async () => {
  for (let second = 0; second < 400; second++) {
    now += 1_000;
    await live.after(0);
  }
  expect((await live.after(0)).samples).toHaveLength(300);
  live[Symbol.dispose]();
  now += 1_000;
  expect((await live.after(0)).samples).toHaveLength(1);
});
