import { describe, expect, test } from 'vitest';
import { eventually } from './eventually.js';

describe('eventually', () => {
  test('returns what the probe returns as soon as that is not false', async () => {
    let tries = 0;
    expect(await eventually(() => ++tries >= 3 && `after ${tries}`)).toBe('after 3');
  });

  test('is done when the assertions of the probe hold', async () => {
    let tries = 0;
    await eventually(async () => expect(++tries).toBe(3));
    expect(tries).toBe(3);
  });

  test('gives up with what it waited for, how often it tried, and how the last try failed', async () => {
    const waiting = eventually(() => expect(1).toBe(2), { timeoutMs: 30, that: 'one to be two' });
    await expect(waiting).rejects.toThrow(
      /Waited \d+ ms for one to be two \(\d+ tries\); at the last try it threw: expected 1 to be 2/,
    );
    await expect(eventually(() => false, { timeoutMs: 0 })).rejects.toThrow(/for the condition .* it was false/);
  });
});
