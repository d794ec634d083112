import { describe, expect, test } from 'vitest';
import { cell, isSameCell, runsOf } from './cells.js';
import { readOptions } from './options.js';
import { plannedMinutes, plannedSteps } from './plan.js';

describe('the plan of the bench', () => {
  test('a whole run takes at most 55 minutes', () => {
    expect(plannedMinutes(readOptions([]))).toBeLessThanOrEqual(55);
  });

  test('the rows of the goals have three processes of each service with MikroORM, which share the rounds', () => {
    const near = runsOf('get').flatMap(run => run.filter(({ cell: each }) => isSameCell(each, cell('get', 16, 0))));
    expect(near.map(({ roundsOf }) => roundsOf(15))).toEqual([5, 5, 5]);
    for (const { services } of near)
      expect(services).toEqual(expect.arrayContaining(['bare', 'bare-again', 'keelson', 'nest']));
  });

  test('each service is warmed up with each kind of request, wherever it is measured with it', () => {
    const steps = plannedSteps(readOptions(['--only', 'list', '--peers', 'bare', '--rounds', '5']));
    expect(Object.fromEntries(steps.map(({ name, seconds }) => [name, seconds]))).toMatchObject({
      'parts alone': 0,
      restarts: 0,
      'warm-up': 4,
      rows: 2 * 1.5,
    });
  });
});
