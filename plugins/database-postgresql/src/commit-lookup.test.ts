import { describe, expect, test } from 'vitest';
import { lookUpCommit } from './commit-lookup.js';

/** Transaction 42, begun at 100 in a run of a server that was started at 50. */
const id = '42@run@50.5@100.25';

describe('lookUpCommit', () => {
  const answer = (status: string, run = 'run', startedAt = '50.5') =>
    lookUpCommit(id, async () => [{ rows: [{ status, run, startedAt }], command: 'SELECT', rowCount: 1 }]);

  test('the same run of the same server is believed', async () => {
    for (const status of ['committed', 'aborted', 'in progress'] as const) expect(await answer(status)).toBe(status);
  });

  test('and after an orderly restart of it', async () => {
    expect(await answer('committed', 'run', '101')).toBe('committed');
  });

  test.each([
    ['another run', 'other', '50.5'],
    ['another server with the same statistics, which was there before', 'run', '60'],
  ])('%s: only that it is not stored is certain', async (_, run, startedAt) => {
    expect(await answer('committed', run, startedAt)).toBe('unknown');
    expect(await answer('aborted', run, startedAt)).toBe('aborted');
    expect(await answer('in progress', run, startedAt)).toBe('aborted');
  });

  test('a standby is asked again until it is promoted', async () => {
    expect(await answer('standby')).toBe('in progress');
  });

  test('an id that the server never gave out did not get there', async () => {
    const future = Object.assign(new Error('in the future'), { code: '22023', severity: 'ERROR' });
    expect(await lookUpCommit(id, () => Promise.reject(future))).toBe('aborted');
  });

  test('a transaction on a standby has stored nothing, and no server is asked', async () => {
    expect(await lookUpCommit('none@run@50.5@100.25', () => Promise.reject(new Error('asked')))).toBe('aborted');
  });

  test('no answer is no outcome', async () => {
    await expect(lookUpCommit(id, () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  });
});
