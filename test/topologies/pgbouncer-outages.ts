import { setTimeout as pause } from 'node:timers/promises';
import { expectOnlyThoseInDoubt, expectOnlyThoseUnderWay } from '../outages/expectations.js';
import type { Outage } from '../outages/outage.js';

const stage = { pooler: 'transaction' } as const;

/** What can happen to a PgBouncer under requests, and to the server behind it. */
export const pgbouncerOutages: readonly Outage[] = [
  {
    name: 'restart of PgBouncer',
    stage,
    shows: 'connects again',
    async strike({ hosts }) {
      await hosts.pooler.restart();
      return [performance.now()];
    },
    expect: expectOnlyThoseUnderWay,
  },
  {
    name: 'kill -9 of PgBouncer',
    stage,
    shows: 'connects again',
    async strike({ hosts }) {
      await hosts.pooler.kill('SIGKILL');
      await hosts.pooler.start();
      return [performance.now()];
    },
    expect: expectOnlyThoseUnderWay,
  },
  {
    name: 'PgBouncer killed again and again',
    stage,
    shows: 'connects again',
    async strike({ hosts }, { repetitions, between }, stream) {
      const backAtMs: number[] = [];
      for (let count = 0; count < repetitions; count++) {
        await hosts.pooler.kill('SIGKILL');
        await pause(300);
        await hosts.pooler.start();
        backAtMs.push(performance.now());
        await stream.flows(between);
      }
      return backAtMs;
    },
  },
  {
    name: 'PgBouncer frozen (SIGSTOP), for less than the deadline',
    stage,
    shows: 'waits',
    async strike({ hosts }, { outageMs }) {
      hosts.pooler.freeze();
      await pause(outageMs);
      hosts.pooler.thaw();
      return [performance.now()];
    },
    expect: expectOnlyThoseUnderWay,
  },
  {
    name: 'PAUSE and RESUME',
    stage,
    shows: 'waits',
    async strike({ hosts }, { outageMs }) {
      await hosts.pooler.command('pause');
      await pause(outageMs);
      await hosts.pooler.command('resume');
      return [performance.now()];
    },
    expect: expectOnlyThoseUnderWay,
  },
  {
    name: 'restart of the server behind it, fast',
    stage,
    shows: 'connects again',
    async strike({ server }) {
      await server.restart('fast');
      return [performance.now()];
    },
    expect: expectOnlyThoseUnderWay,
  },
  {
    name: 'kill -9 of the server behind it',
    stage,
    shows: 'connects again',
    async strike({ server }) {
      await server.kill('SIGKILL');
      await server.start();
      return [performance.now()];
    },
    expect: expectOnlyThoseInDoubt,
  },
];
