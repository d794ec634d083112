import { expect, test } from 'vitest';
import { progressBar } from './progress-bar.js';

test('the bar says how far an import is, how fast, and how long it still takes', () => {
  expect(progressBar({ share: 0.25, done: 250_000, elapsedMs: 5_000 })).toBe(
    '[######------------------]  25 %  250,000 products  50,000/s  15 s left',
  );
  expect(progressBar({ share: 0, done: 0, elapsedMs: 0 })).toBe('[------------------------]   0 %  0 products  0/s');
});
