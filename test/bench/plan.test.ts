import { describe, expect, test } from 'vitest';
import { readOptions } from './options.js';
import { plannedMinutes, plannedSteps } from './plan.js';

describe('the plan of the bench', () => {
  test('a whole run takes at most 55 minutes', () => {
    expect(plannedMinutes(readOptions([]))).toBeLessThanOrEqual(55);
  });

  test('each service is warmed up with each kind of request, wherever it is measured with it', () => {
    const steps = plannedSteps(readOptions(['--only', 'list', '--peers', 'bare', '--rounds', '2']));
    expect(Object.fromEntries(steps.map(({ name, seconds }) => [name, seconds]))).toMatchObject({
      'parts alone': 0,
      restarts: 0,
      'warm-up': 4,
      rows: 2 * 4.7,
    });
  });
});
