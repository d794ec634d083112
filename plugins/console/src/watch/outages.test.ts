import { beforeEach, describe, expect, test } from 'vitest';
import { Outages } from './outages.js';

let now: number;
let outages: Outages;
const ok = { status: 200, code: undefined, failed: false };
const refusedWith = (code: string, status = 503) => ({ status, code, failed: true });

beforeEach(() => {
  now = 1_000_000;
  outages = new Outages(() => now);
});

describe('an outage', () => {
  test('lasts from the first trouble to the end of the last, and counts what callers got meanwhile', () => {
    outages.answered(ok);
    outages.begin('database', 'the database was lost', '57P01');
    now += 100;
    outages.begin('breaker', 'the breaker of "database" is open');
    outages.answered(refusedWith('CIRCUIT_OPEN'));
    outages.answered(refusedWith('CIRCUIT_OPEN'));
    outages.answered(ok);
    outages.repeated('DATABASE_CONNECTION_LOST');
    now += 900;
    outages.end('database');
    expect(outages.open?.endedAt).toBeUndefined();
    now += 3_000;
    outages.end('breaker');
    expect(outages.open).toBeUndefined();
    now += 60_000;
    outages.answered(ok);
    expect(outages.all()).toEqual([
      {
        id: 1,
        startedAt: 1_000_000,
        endedAt: 1_004_000,
        troubles: [
          { what: 'the database was lost', kind: '57P01', startedAt: 1_000_000, endedAt: 1_001_000 },
          { what: 'the breaker of "database" is open', startedAt: 1_000_100, endedAt: 1_004_000 },
          { what: 'callers were refused', kind: 'CIRCUIT_OPEN', startedAt: 1_000_100, endedAt: 1_000_100 },
          {
            what: 'sessions lost their connection and were run again',
            kind: 'DATABASE_CONNECTION_LOST',
            startedAt: 1_000_100,
            endedAt: 1_000_100,
          },
        ],
        answers: [
          { status: 503, code: 'CIRCUIT_OPEN', count: 2 },
          { status: 200, count: 1 },
        ],
        others: 0,
        repeated: 1,
      },
    ]);
  });

  test('goes on when a trouble returns soon, and is another one when it returns late', () => {
    outages.begin('database', 'the database was lost');
    outages.end('database');
    now += 4_000;
    outages.begin('database', 'the database was lost');
    outages.end('database');
    expect(outages.all()).toMatchObject([{ id: 1, startedAt: 1_000_000, endedAt: 1_004_000 }]);
    now += 6_000;
    outages.begin('database', 'the database was lost');
    expect(outages.all().map(({ id }) => id)).toEqual([2, 1]);
  });

  test('is also what only callers noticed, until none was refused for a while', () => {
    outages.answered(refusedWith('HTTP_OVERLOADED'));
    now += 1_000;
    outages.answered(refusedWith('HTTP_OVERLOADED'));
    expect(outages.open).toBeDefined();
    now += 3_000;
    expect(outages.open).toBeUndefined();
    expect(outages.all()).toMatchObject([{ startedAt: 1_000_000, endedAt: 1_001_000, answers: [{ count: 2 }] }]);
  });

  test('has one trouble for what callers noticed, though it stopped for a while', () => {
    outages.begin('database', 'the database was lost');
    for (const code of ['CIRCUIT_OPEN', 'RETRY_DEADLINE_EXCEEDED', 'CIRCUIT_OPEN']) {
      now += 4_000;
      outages.answered(refusedWith(code));
    }
    now += 4_000;
    expect(outages.all()[0]?.troubles).toEqual([
      { what: 'the database was lost', startedAt: 1_000_000 },
      { what: 'callers were refused', kind: 'CIRCUIT_OPEN', startedAt: 1_004_000, endedAt: 1_012_000 },
    ]);
  });

  test('is neither a defect of a handler, nor a refusal by the caller, nor a stop', () => {
    for (const answer of [
      refusedWith('ORDERS_BROKEN', 500),
      refusedWith('NOT_FOUND', 404),
      refusedWith('HTTP_STOPPING'),
    ]) {
      outages.answered(answer);
    }
    expect(outages.all()).toEqual([]);
  });
});

test('memory is bounded: outages, troubles of one, and different answers of one', () => {
  for (let index = 0; index < 100; index++) {
    for (let each = 0; each < 100; each++) {
      outages.begin('flapping', `trouble ${each}`);
      outages.answered(refusedWith(`CODE_${each}`));
    }
    outages.end('flapping');
    now += 60_000;
  }
  const all = outages.all();
  expect(all).toHaveLength(30);
  for (const { troubles, answers, others } of all) {
    expect(troubles.length).toBeLessThanOrEqual(40);
    expect(answers.length).toBeLessThanOrEqual(40);
    expect(answers.reduce((sum, { count }) => sum + count, others)).toBe(100);
  }
});

test('the revision changes when the page has something new to show, and not with each answer', () => {
  const before = outages.revision;
  outages.begin('database', 'the database was lost');
  const begun = outages.revision;
  expect(begun).toBeGreaterThan(before);
  outages.begin('database', 'the database was lost');
  outages.answered(ok);
  expect(outages.revision).toBe(begun);
  outages.end('database');
  expect(outages.revision).toBeGreaterThan(begun);
});
