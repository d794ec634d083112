import type { HealthResult } from '@keelson/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judge, type Thresholds, type Verdict } from './hysteresis.js';

const statuses = fc.array(fc.constantFrom('pass', 'warn', 'fail' as const), { minLength: 1, maxLength: 40 });
const thresholds = fc.record({
  failureThreshold: fc.integer({ min: 1, max: 5 }),
  successThreshold: fc.integer({ min: 1, max: 5 }),
});

function verdicts(samples: readonly HealthResult['status'][], given: Thresholds): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const status of samples) verdicts.push(judge(verdicts.at(-1), { status }, given));
  return verdicts;
}

describe('hysteresis', () => {
  test('the first sample decides alone', () => {
    const slow = { failureThreshold: 3, successThreshold: 3 };
    expect(judge(undefined, { status: 'fail' }, slow).result.status).toBe('fail');
    expect(judge(undefined, { status: 'pass' }, slow).result.status).toBe('pass');
  });

  test('a check that passes fails after as many failures in a row as its threshold', () => {
    const shown = verdicts(['pass', 'fail', 'fail', 'pass', 'fail', 'fail', 'fail'], {
      failureThreshold: 3,
      successThreshold: 1,
    }).map(verdict => verdict.result.status);
    expect(shown).toEqual(['pass', 'pass', 'pass', 'pass', 'pass', 'pass', 'fail']);
  });

  test('a check that fails passes after as many successes in a row as its threshold, warnings included', () => {
    const shown = verdicts(['fail', 'pass', 'fail', 'warn', 'pass'], { failureThreshold: 1, successThreshold: 2 }).map(
      verdict => verdict.result.status,
    );
    expect(shown).toEqual(['fail', 'fail', 'fail', 'fail', 'pass']);
  });

  test('with thresholds of 1 the last sample is what is shown', () => {
    fc.assert(
      fc.property(statuses, samples => {
        const shown = verdicts(samples, { failureThreshold: 1, successThreshold: 1 });
        expect(shown.map(verdict => verdict.result.status)).toEqual(samples);
      }),
    );
  });

  test('what is shown turns only at the end of a run of opposite samples as long as the threshold', () => {
    fc.assert(
      fc.property(statuses, thresholds, (samples, given) => {
        const healthy = samples.map(status => status !== 'fail');
        const shown = verdicts(samples, given).map(verdict => verdict.result.status !== 'fail');
        for (let index = 1; index < samples.length; index++) {
          if (shown[index] === shown[index - 1]) continue;
          const needed = shown[index] ? given.successThreshold : given.failureThreshold;
          const run = healthy.slice(Math.max(0, index - needed + 1), index + 1);
          expect(run).toEqual(Array(needed).fill(shown[index]));
        }
      }),
    );
  });
});
