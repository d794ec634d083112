import { describe, expect, test } from 'vitest';
import { countedIn, readOptions } from './options.js';

const names = (words: readonly string[]) => readOptions(words).kinds.map(({ name }) => name);

describe('the options of the bench', () => {
  test('without words everything is measured, and printed', () => {
    expect(readOptions([])).toMatchObject({ rounds: 15, seconds: 1, write: false, files: [] });
    expect(readOptions([])).not.toHaveProperty('only');
    expect(names([])).toHaveLength(10);
  });

  test('--peers always has the baseline, for nothing can be compared without it', () => {
    expect(names(['--peers', 'nest,keelson'])).toEqual(['bare', 'keelson', 'nest']);
  });

  test('a restart of PostgreSQL can be measured alone', () => {
    expect(readOptions(['--only', 'restart'])).toMatchObject({ only: 'restart' });
  });

  test.each([
    { only: undefined, counted: ['get', 'post', 'batch', 'list'] },
    { only: 'get', counted: ['get', 'post'] },
    { only: 'list', counted: ['get', 'post', 'list'] },
    { only: 'restart', counted: ['get', 'post'] },
  ] as const)('the counts that are goals are in any run: $only has $counted', ({ only, counted }) => {
    expect(countedIn(only)).toEqual(counted);
  });

  test.each([
    { words: ['--only', 'put'], message: '--only takes one of get, post, batch, list, mixed, restart.' },
    { words: ['--peers', 'rails'], message: '--peers takes some of bare,' },
    { words: ['--rounds', '0'], message: '--rounds takes a whole number from 1.' },
    { words: ['--rounds', '1.5'], message: '--rounds takes a whole number from 1.' },
    { words: ['--seconds', 'two'], message: '--seconds takes a number from 0.1.' },
    { words: ['--fast'], message: "Unknown option '--fast'" },
  ])('$words is refused: $message', ({ words, message }) => {
    expect(() => readOptions(words)).toThrow(message);
  });
});
