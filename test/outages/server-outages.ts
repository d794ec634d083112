import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '@keelson/test-support/eventually';
import { expect } from 'vitest';
import { type Account, countRefused } from './account.js';
import { expectOnlyThoseInDoubt, expectOnlyThoseUnderWay } from './expectations.js';
import { answersAgain, type Measure, type Outage } from './outage.js';
import { poolMax, type Stage } from './stage.js';

function expectRefusals(account: Account): void {
  expect(countRefused(account), 'requests refused').toBeGreaterThan(0);
}

const shortDeadline = (measure: Measure) => measure.shortDeadlineMs;

/** The port is closed while the server is away, as it is without a proxy. */
async function awayFor(stage: Stage, ms: number): Promise<readonly number[]> {
  await stage.server.stop('fast');
  await stage.proxy.setMode('refuse');
  await pause(ms);
  await stage.server.start();
  await stage.proxy.setMode('pass');
  return [performance.now()];
}

async function frozenFor({ server }: Stage, ms: number): Promise<readonly number[]> {
  server.freeze();
  await pause(ms);
  server.thaw();
  return [performance.now()];
}

export const serverOutages: readonly Outage[] = [
  {
    name: 'restart, fast',
    shows: 'connects again',
    async strike({ server }) {
      await server.restart('fast');
      return [performance.now()];
    },
    expect: expectOnlyThoseUnderWay,
  },
  {
    name: 'restart, immediate (crash recovery)',
    shows: 'connects again',
    async strike({ server }) {
      await server.restart('immediate');
      return [performance.now()];
    },
    expect: expectOnlyThoseInDoubt,
  },
  {
    name: 'kill -9 of a backend',
    shows: 'connects again',
    async strike(stage) {
      const [backend] = await stage.server.query<{ pid: number }>(
        "select pid from pg_stat_activity where application_name = 'keelson' limit 1",
      );
      const recoveries = () => stage.server.log().split('ready to accept connections').length;
      const before = recoveries();
      process.kill(backend?.pid ?? 0, 'SIGKILL');
      await eventually(() => recoveries() > before, { that: 'the server to recover', timeoutMs: 30_000 });
      return [await answersAgain(stage)];
    },
    expect: expectOnlyThoseInDoubt,
  },
  {
    name: 'kill -9 of the postmaster',
    shows: 'connects again',
    async strike({ server }) {
      await server.kill('SIGKILL');
      await server.start();
      return [performance.now()];
    },
    expect: expectOnlyThoseInDoubt,
  },
  {
    name: 'stopped, for less than the deadline',
    shows: 'connects again',
    strike: (stage, { outageMs }) => awayFor(stage, outageMs),
    expect: expectOnlyThoseUnderWay,
  },
  {
    name: 'stopped again and again',
    shows: 'connects again',
    async strike(stage, { repetitions, between }, stream) {
      const backAtMs: number[] = [];
      for (let count = 0; count < repetitions; count++) {
        backAtMs.push(...(await awayFor(stage, 300)));
        await stream.flows(between);
      }
      return backAtMs;
    },
    expect: ({ firstSuccessMs }, measure) =>
      expect(firstSuccessMs, 'the first success, in ms').toBeLessThanOrEqual(measure.firstSuccessMs),
  },
  {
    name: 'frozen (SIGSTOP), for less than the deadline',
    shows: 'waits',
    strike: (stage, { outageMs }) => frozenFor(stage, outageMs),
    expect: expectOnlyThoseUnderWay,
  },
  {
    name: 'connection storm: all waiting callers come at once',
    shows: 'connects again',
    async strike(stage, { outageMs }) {
      const backAtMs = await awayFor(stage, 1_500 + outageMs);
      const { connections } = stage.proxy.counters;
      await eventually(async () => (await stage.vitals()).waitingCalls === 0, { that: 'no call to wait' });
      // The pool, and the connection for questions about the server: twice, when the first to open were lost.
      expect(stage.proxy.counters.connections - connections).toBeLessThanOrEqual(2 * (poolMax + 1));
      return backAtMs;
    },
    expect: expectOnlyThoseUnderWay,
  },
  {
    name: 'stopped, for longer than the deadline',
    shows: 'connects again',
    deadlineMs: shortDeadline,
    strike: (stage, { shortDeadlineMs }) => awayFor(stage, 2 * shortDeadlineMs),
    expect: expectRefusals,
  },
  {
    name: 'frozen (SIGSTOP), for longer than the deadline',
    shows: 'waits',
    deadlineMs: shortDeadline,
    strike: (stage, { shortDeadlineMs }) => frozenFor(stage, 2 * shortDeadlineMs),
    expect: expectRefusals,
  },
];
