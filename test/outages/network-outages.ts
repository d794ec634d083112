import { setTimeout as pause } from 'node:timers/promises';
import type { ProxyMode } from '@keelson/test-support/tcp-proxy';
import { expect } from 'vitest';
import { type Account, countRefused, refusedUnits } from './account.js';
import type { Measure, Outage } from './outage.js';
import { poolMax, type Stage } from './stage.js';

async function networkIs(stage: Stage, mode: ProxyMode, ms: number): Promise<readonly number[]> {
  await stage.proxy.setMode(mode);
  await pause(ms);
  await stage.proxy.setMode('pass');
  return [performance.now()];
}

/** One after the other, so that each breaks a transaction of its own. */
async function cutCommits(stage: Stage, when: 'before' | 'after', times: number): Promise<readonly number[]> {
  for (let count = 0; count < times; count++) await stage.proxy.onceAtCommit(when);
  return [];
}

/** Units are run again. */
function expectAtMost(count: number) {
  return (account: Account) => {
    expect(countRefused(account, 'sessions'), 'sessions refused').toBeLessThanOrEqual(count);
    expect(refusedUnits(account)).toEqual([]);
  };
}

const shortDeadline = (measure: Measure) => measure.shortDeadlineMs;

export const networkOutages: readonly Outage[] = [
  {
    name: 'connections reset, and each new one too',
    shows: 'connects again',
    strike: (stage, { outageMs }) => networkIs(stage, 'reset', outageMs),
    expect: expectAtMost(poolMax),
  },
  {
    name: 'black hole, for less than the deadline',
    shows: 'waits',
    strike: (stage, { outageMs }) => networkIs(stage, 'blackhole', outageMs),
    expect: expectAtMost(poolMax),
  },
  {
    name: 'cut at COMMIT, before the server receives it',
    shows: 'by itself',
    strike: (stage, { repetitions }) => cutCommits(stage, 'before', repetitions),
    expect: account => expect(refusedUnits(account)).toEqual([]),
  },
  {
    name: 'cut at COMMIT, after the server has done it',
    shows: 'by itself',
    strike: (stage, { repetitions }) => cutCommits(stage, 'after', repetitions),
    expect: expectAtMost(0),
  },
  {
    name: 'black hole, for longer than the deadline',
    shows: 'waits',
    deadlineMs: shortDeadline,
    strike: (stage, { shortDeadlineMs }) => networkIs(stage, 'blackhole', 2 * shortDeadlineMs),
  },
  {
    name: 'packets lost: what is sent meanwhile never arrives',
    shows: 'connects again',
    strike: (stage, { outageMs }) => networkIs(stage, 'lose', outageMs),
    expect: expectAtMost(poolMax),
  },
  {
    name: 'slow: the answer comes at the deadline',
    shows: 'waits',
    deadlineMs: shortDeadline,
    async strike({ proxy }, { shortDeadlineMs }) {
      // A request has three round trips, so its last answer and its deadline meet.
      proxy.latencyMs = shortDeadlineMs / 3;
      await pause(3 * shortDeadlineMs);
      proxy.latencyMs = 0;
      return [performance.now()];
    },
  },
];
