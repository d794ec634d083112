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
  ['none is done twice', 'a key that is stored twice', { ledger: { ...ledger, duplicated: ['1'] } }],
  [
    'no client hears that nothing is stored when it is',
    'a refusal of what is stored',
    { ledger: { ...ledger, refusedButStored: ['1'] } },
  ],
  ['nothing is stored that no client asked for', 'an unknown key', { ledger: { ...ledger, unknown: ['7'] } }],
  ['nothing is stored that no client asked for', 'a write of the outage before that came late', { ordersElsewhere: 1 }],
  ['nothing is stored that no client asked for', 'an order that has vanished', { ordersElsewhere: -1 }],
  ['stock and orders add up', 'a write done by half', { stocks: [{ sku: 'mug', before: 100, left: 98, sold: 1 }] }],
  [
    'stock and orders add up',
    'a product that has vanished',
    { stocks: [{ sku: 'mug', before: 100, left: Number.NaN, sold: 0 }] },
  ],
  ['every request is answered', 'a connection that failed', { endings: [refused({ status: undefined })] }],
  [
    'an answer of 201 confirms what was asked for',
    "the answer of another's request",
    { endings: [acknowledged({ told: 2 })] },
  ],
  [
    'an answer of 201 confirms what was asked for',
    'an answer about nothing',
    { endings: [acknowledged({ told: undefined })] },
  ],
  ['no request waits past its deadline', 'an order that does', { endings: [acknowledged({ endedAtMs: 1_001 })] }],
  ['no request waits past its deadline', 'a refusal that does', { endings: [refused({ endedAtMs: 1_001 })] }],
  [
    'a refusal without fault of the client says when to come back',
    'one of several alike without Retry-After',
    { endings: [refused(), refused({ waitSeconds: undefined })] },
  ],
  [
    'a refusal without fault of the client says when to come back',
    'Retry-After of no time',
    { endings: [refused({ waitSeconds: 0 })] },
  ],
  ['a refusal without fault of the client says when to come back', 'a 500', { endings: [refused({ status: 500 })] }],
  [
    'a refusal without fault of the client says when to come back',
    'a 200 that is no acknowledgement',
    { endings: [acknowledged({ status: 200 })] },
  ],
  [
    'a refusal without fault of the client says when to come back',
    'an invitation to repeat what may be stored',
    { endings: [refused({ code: 'DATABASE_AMBIGUOUS_COMMIT', waitSeconds: 1 })] },
  ],
  ['retries stay within the budget', 'more', { after: sampleVitals({ attempts: 2, retries: 31 }) }],
  [
    'the server is asked no more often than requests and budget allow',
    'more transactions than the policy knows of',
    { begun: 3 },
  ],
  [
    'the server is asked no more often than requests and budget allow',
    'more, with the knowledge of the policy',
    { begun: 33, after: sampleVitals({ attempts: 33 }) },
  ],
  [
    'no transaction runs inside of another',
    'a warning of the server',
    { serverLog: 'WARNING:  there is already a transaction in progress\n' },
  ],
  ['memory is what it was', '50 MB more', { after: sampleVitals({ attempts: 2, heapMb: 80 }) }],
  ['it is the same process', 'another', { after: sampleVitals({ attempts: 2, pid: 2 }) }],
  ['it is the same process', 'one that has ended', { isRunning: false }],
  [
    'no error goes uncaught',
    'a fatal line of the log',
    { serviceOutput: '{"level":60,"msg":"service stopped by an uncaught error"}\n' },
  ],
  [
    'no error goes uncaught',
    'a warning of Node about a leak of listeners',
    { serviceOutput: '(node:1) MaxListenersExceededWarning: Possible EventTarget memory leak detected.\n' },
  ],
  ['the outage takes place', 'no new connection', { sign: { connected: 1, longestMs: 0 } }],
  ['the outage takes place', 'no request that waits', { sign: { connected: 0, longestMs: 900 } }],
  ['the first success comes soon', 'none after the outage', { backAtMs: [20] }],
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
