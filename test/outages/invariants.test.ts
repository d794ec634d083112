import { describe, expect, test } from 'vitest';
import { drawAccount, type Observations } from './account.js';
import { brokenBy, type InvariantName, invariants } from './invariants.js';
import { acknowledged, refused, sampleObservations, sampleVitals } from './sample-observations.js';

const broken = (seen: Partial<Observations>) => {
  const observations = sampleObservations(seen);
  return Object.keys(brokenBy(observations, drawAccount(observations)));
};

const { ledger } = sampleObservations();

const breaches: readonly (readonly [InvariantName, string, Partial<Observations>])[] = [
  ['no acknowledged write is lost', 'an entry that is not stored', { ledger: { ...ledger, lost: ['1'] } }],
  ['no write is stored twice', 'a key that is stored twice', { ledger: { ...ledger, duplicated: ['1'] } }],
  [
    'no stored write is reported as not stored',
    'a refusal of what is stored',
    { ledger: { ...ledger, refusedButStored: ['1'] } },
  ],
  ['only requested writes are stored', 'an unknown key', { ledger: { ...ledger, unknown: ['7'] } }],
  ['only requested writes are stored', 'a write of the outage before that came late', { ordersElsewhere: 1 }],
  ['only requested writes are stored', 'an order that has vanished', { ordersElsewhere: -1 }],
  ['stock and orders match', 'a write done by half', { stocks: [{ sku: 'mug', before: 100, left: 98, sold: 1 }] }],
  [
    'stock and orders match',
    'a product that has vanished',
    { stocks: [{ sku: 'mug', before: 100, left: Number.NaN, sold: 0 }] },
  ],
  ['every request gets an answer', 'a connection that failed', { endings: [refused({ status: undefined })] }],
  [
    'a 201 is for the write of the same client',
    "the answer of another's request",
    { endings: [acknowledged({ told: 2 })] },
  ],
  [
    'a 201 is for the write of the same client',
    'an answer about nothing',
    { endings: [acknowledged({ told: undefined })] },
  ],
  ['no request waits past its deadline', 'an order that does', { endings: [acknowledged({ endedAtMs: 1_001 })] }],
  ['no request waits past its deadline', 'a refusal that does', { endings: [refused({ endedAtMs: 1_001 })] }],
  [
    'a refusal that the client did not cause has Retry-After',
    'one of several alike without Retry-After',
    { endings: [refused(), refused({ waitSeconds: undefined })] },
  ],
  [
    'a refusal that the client did not cause has Retry-After',
    'Retry-After of no time',
    { endings: [refused({ waitSeconds: 0 })] },
  ],
  ['a refusal that the client did not cause has Retry-After', 'a 500', { endings: [refused({ status: 500 })] }],
  [
    'a refusal that the client did not cause has Retry-After',
    'a 200 that is no acknowledgement',
    { endings: [acknowledged({ status: 200 })] },
  ],
  [
    'a refusal that the client did not cause has Retry-After',
    'an invitation to repeat what may be stored',
    { endings: [refused({ code: 'DATABASE_AMBIGUOUS_COMMIT', waitSeconds: 1 })] },
  ],
  ['retries stay within the budget', 'more', { after: sampleVitals({ attempts: 2, retries: 31 }) }],
  ['retries on the wire stay within the budget', 'more transactions than the policy knows of', { begun: 3 }],
  [
    'retries on the wire stay within the budget',
    'more, with the knowledge of the policy',
    { begun: 33, after: sampleVitals({ attempts: 33 }) },
  ],
  [
    'no transaction starts inside another',
    'a warning of the server',
    { serverLog: 'WARNING:  there is already a transaction in progress\n' },
  ],
  ['memory has not grown', '50 MB more', { after: sampleVitals({ attempts: 2, heapMb: 80 }) }],
  ['the same process still runs', 'another', { after: sampleVitals({ attempts: 2, pid: 2 }) }],
  ['the same process still runs', 'one that has ended', { isRunning: false }],
  [
    'no error is uncaught',
    'a fatal line of the log',
    { serviceOutput: '{"level":60,"msg":"service stopped by an uncaught error"}\n' },
  ],
  [
    'no error is uncaught',
    'a warning of Node about a leak of listeners',
    { serviceOutput: '(node:1) MaxListenersExceededWarning: Possible EventTarget memory leak detected.\n' },
  ],
  ['the outage had an effect', 'no new connection', { sign: { connected: 1, longestMs: 0 } }],
  ['the outage had an effect', 'no request that waits', { sign: { connected: 0, longestMs: 900 } }],
  ['the first request succeeds within 10 s', 'none after the outage', { backAtMs: [20] }],
];

describe('the judgement', () => {
  test('finds nothing broken where nothing is', () => {
    expect(broken({})).toEqual([]);
  });

  test.each(breaches)('%s: not with %s', (name, _what, seen) => {
    expect(broken(seen)).toEqual([name]);
  });

  test('is tested for each invariant', () => {
    expect(new Set(breaches.map(([name]) => name))).toEqual(new Set(Object.keys(invariants)));
  });
});
