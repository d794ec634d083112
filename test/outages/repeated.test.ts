import { describe, expect, test } from 'vitest';
import { drawAccount } from './account.js';
import { isSound, type Run, tellAll, tellRun } from './repeated.js';
import { acknowledged, refused, sampleObservations } from './sample-observations.js';

const account = (longestMs: number, firstSuccessMs: number, refusals: number) => {
  const endings = [
    acknowledged({ beganAtMs: 0, endedAtMs: longestMs }),
    acknowledged({ beganAtMs: 5_000, endedAtMs: 5_000 + firstSuccessMs }),
    ...Array.from({ length: refusals }, () => refused({ way: 'sessions' })),
  ];
  return drawAccount(sampleObservations({ endings, backAtMs: [5_000] }));
};

const run = (given: Partial<Run>, ...figures: Parameters<typeof account>): Run => ({
  number: 1,
  seconds: 200,
  report: { rows: [{ name: 'stopped again and again', account: account(...figures) }], failures: [] },
  trouble: undefined,
  ...given,
});

describe('a run of the suite', () => {
  test('is reported in one line', () => {
    expect(tellRun(run({ number: 3 }, 900, 120, 2))).toBe(
      'run 3: 200 s, all invariants held, first success in a series of 20 outages: 120 ms (p95), refused: 0 orders, 2 sessions, 0 units',
    );
  });

  test('in which something does not hold is reported with what did not, and where', () => {
    const failures = [{ name: 'restart, fast', message: "Broken: no write is stored twice: [ '7' ]" }];
    const broken = run({ report: { rows: [], failures }, trouble: 'exit code 1' }, 0, 0, 0);
    expect(isSound(broken)).toBe(false);
    expect(tellRun(broken)).toMatch(/BROKEN \(in 1 outage\).*\n {2}restart, fast: Broken: no write is stored twice/);
  });

  test.each([
    ['that ended badly without a word', { trouble: 'exit code 1' }],
    ['that ended well and has no report', { report: undefined }],
  ])('%s is not sound', (_what, given) => {
    expect(isSound(run(given, 0, 0, 0))).toBe(false);
  });

  test('and others are reported by the worst of each figure', () => {
    const all = tellAll([run({ seconds: 190 }, 900, 120, 2), run({ number: 2, seconds: 210 }, 500, 240, 0)]);
    expect(all).toContain('2 consecutive runs: all invariants held in each. 6 requests; a run took 190 to 210 s.');
    expect(all).toMatch(/\| stopped again and again \| 6 \| 0 \| 0 \| 0 \| 2 \| 0 \| 0\.9 s \| 240 ms \|/);
  });
});
