import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { expect } from 'vitest';
import { type Account, countRefused, refusedUnits } from './account.js';
import { fillDisk } from './full-disk.js';
import type { Outage } from './outage.js';
import { poolMax, type Stage } from './stage.js';

/** Takes every connection that the server has left for roles like ours. */
async function takeAllConnections(url: string): Promise<pg.Client[]> {
  const taken: pg.Client[] = [];
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    try {
      await client.connect();
      taken.push(client);
    } catch (error) {
      expect(error).toMatchObject({ code: '53300' });
      return taken;
    }
  }
}

async function full(stage: Stage, ms: number): Promise<readonly number[]> {
  await stage.proxy.setMode('refuse');
  stage.proxy.cut();
  const others = await takeAllConnections(stage.databaseUrl);
  await stage.proxy.setMode('pass');
  await pause(ms);
  await Promise.all(others.map(client => client.end()));
  return [performance.now()];
}

export const serverRefusals: readonly Outage[] = [
  {
    name: 'too many connections (53300): others have taken all',
    shows: 'connects again',
    strike: (stage, { outageMs }) => full(stage, outageMs),
    expect(account: Account) {
      expect(countRefused(account, 'sessions'), 'sessions refused').toBeLessThanOrEqual(poolMax);
      expect(refusedUnits(account)).toEqual([]);
    },
  },
  {
    name: 'read-only (25006)',
    shows: 'waits',
    async strike({ server }, { outageMs }) {
      await server.query('alter system set default_transaction_read_only = on');
      await server.query('select pg_reload_conf()');
      await pause(outageMs);
      await server.query('alter system reset default_transaction_read_only');
      await server.query('select pg_reload_conf()');
      return [performance.now()];
    },
  },
  {
    name: 'disk full (53100)',
    stage: { smallDisk: true },
    shows: 'by itself',
    async strike({ server }, _measure, stream) {
      const empty = await fillDisk(server);
      await stream.endsWith('DATABASE_QUERY_FAILED', 20);
      await empty();
      return [performance.now()];
    },
    expect(account: Account) {
      expect(new Set(account.refused.map(({ status, code }) => `${status} ${code}`))).toEqual(
        new Set(['503 DATABASE_QUERY_FAILED']),
      );
      expect(account.attemptsPerRequest, 'a person has to act, so nothing is tried again').toBeLessThanOrEqual(1);
    },
  },
  {
    name: 'deadlock storm: each request locks what another wants',
    shows: 'by itself',
    ways: ['storms/deadlock'],
    together: 2,
    requestsPerSecond: 10,
    strike: async () => [],
    expect: account => expect(account.conflicts, 'deadlocks').toBeGreaterThan(0),
  },
  {
    name: 'serialization storm: three at a time change the same row',
    shows: 'by itself',
    ways: ['storms/serialization'],
    together: 3,
    requestsPerSecond: 12,
    strike: async () => [],
    expect: account => expect(account.conflicts, 'serialization failures').toBeGreaterThan(0),
  },
];
