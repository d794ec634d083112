import { expect, test } from 'vitest';
import type { PoolStats } from './driver/driver.js';
import { engineFacts, plainEngine } from './driver/engine.js';
import { inspectDatabase } from './inspect.js';
import type { ListeningStats } from './listening/listen-options.js';

const since = new Date('2026-01-02T03:04:05Z');
const counters = { acquired: 9, waited: 2, timedOut: 0, refused: 0, waitMs: [], opened: 3, discarded: { lost: 1 } };
const pool: PoolStats = { total: 3, idle: 1, busy: 2, waiting: 0, max: 10, counters };
const stats = () => pool;
const engine = { ...plainEngine(), version: '18.1' };

test('a database that is well passes, with its pool and the proof of its commits', () => {
  expect(inspectDatabase({ state: { is: 'connected', since }, commitProof: 'token', stats, engine })).toEqual({
    facts: {
      state: 'connected',
      since,
      engine: engineFacts(engine),
      commitProof: 'token',
      pool: {
        ...{ total: 3, idle: 1, busy: 2, waiting: 0, max: 10 },
        ...{ acquired: 9, waited: 2, timedOut: 0, refused: 0, opened: 3, discarded: { lost: 1 } },
      },
    },
    findings: [
      { name: 'state', status: 'pass', output: 'Connected since 2026-01-02T03:04:05.000Z.' },
      { name: 'engine', status: 'pass', output: 'postgresql 18.1, with everything that Keelson uses.' },
      { name: 'pool', status: 'pass', output: '3 of 10 connections open, 2 busy, 0 callers wait.' },
      {
        name: 'commit proof',
        status: 'pass',
        output: 'A COMMIT without an answer is looked up by the token that its unit has written.',
      },
    ],
  });
});

test('a database that does not answer warns with since when and why, and callers that wait for the pool warn', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
  const state = { is: 'error', since, cause: refused } as const;
  const address = 'db:5432/shop';
  const { facts, findings } = inspectDatabase({
    state,
    address,
    engine,
    commitProof: 'none',
    stats: () => ({ ...pool, waiting: 1 }),
  });
  expect(facts).toMatchObject({ state: 'error', address, cause: { systemCode: 'ECONNREFUSED' } });
  expect(findings).toMatchObject([
    {
      name: 'state',
      status: 'warn',
      output: expect.stringContaining('db:5432/shop has not answered since 2026-01-02T03:04:05.000Z (ECONNREFUSED).'),
    },
    { name: 'engine' },
    { name: 'pool', status: 'warn', output: expect.stringContaining('1 caller waits') },
    { name: 'commit proof', output: expect.stringContaining('stays unknown') },
  ]);
});

test('a connection that listens passes, and warns with since when and why while it is away', () => {
  const state = { is: 'connected', since } as const;
  const gaps = { started: 2, reconnected: 0, overflow: 0, resumed: 0 };
  const numbers = { channels: 1, subscriptions: 2, queued: 3, counters: { received: 4, gaps, invalid: 0, failed: 0 } };
  const findingOf = (listening: ListeningStats) =>
    inspectDatabase({ state, commitProof: 'none', stats, engine, listening }).findings?.find(
      ({ name }) => name === 'listening',
    );
  expect(findingOf({ state: 'listening', since, ...numbers })).toEqual({
    name: 'listening',
    status: 'pass',
    output: 'Listens to 1 channel for 2 handlers since 2026-01-02T03:04:05.000Z, 3 events wait.',
  });
  const cause = Object.assign(new Error('terminating connection'), { code: '57P01', severity: 'FATAL' });
  const away = inspectDatabase({
    state,
    commitProof: 'none',
    stats,
    engine,
    listening: { state: 'connecting', since, cause, ...numbers },
  });
  expect(away.facts).toMatchObject({ listening: { state: 'connecting', cause: { sqlState: '57P01' } } });
  expect(findingOf({ state: 'connecting', since, cause, ...numbers })).toMatchObject({
    status: 'warn',
    output: 'The listening connection has been lost since 2026-01-02T03:04:05.000Z (57P01).',
  });
});
