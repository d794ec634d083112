import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../testing/fake-clock.js';
import { Deadline } from '../deadline.js';
import { singleAttempt } from './single-attempt.js';

const options = { name: 'test.work', idempotent: true };

describe('singleAttempt', () => {
  test('runs the work once and passes its result and its error through', async () => {
    const policy = singleAttempt(new FakeClock());
    expect(await policy.execute(async ({ number }) => number, options)).toBe(1);
    const error = new Error('no');
    await expect(policy.execute(() => Promise.reject(error), options)).rejects.toBe(error);
  });

  test('ends the call at its deadline, aborts the signal of the work, and leaves no timer', async () => {
    const clock = new FakeClock();
    const told: unknown[] = [];
    const deadline = Deadline.after(100, clock);
    const call = singleAttempt(clock).execute(
      ({ signal }) => {
        signal.addEventListener('abort', () => told.push('told'));
        return new Promise(() => {});
      },
      { ...options, deadline },
    );
    const outcome = expect(call).rejects.toMatchObject({ code: 'RETRY_DEADLINE_EXCEEDED', http: { status: 503 } });
    await clock.advance(100);
    await outcome;
    expect(told).toEqual(['told']);
    expect(clock.pending).toBe(0);
    await expect(singleAttempt(clock).execute(async () => 1, { ...options, deadline })).rejects.toMatchObject({
      code: 'RETRY_DEADLINE_EXCEEDED',
    });
  });

  test('ends the call when the caller gives up, and does not begin when it already has', async () => {
    const controller = new AbortController();
    const policy = singleAttempt(new FakeClock());
    const call = policy.execute(() => new Promise(() => {}), { ...options, signal: controller.signal });
    controller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    let ran = false;
    const late = policy.execute(
      async () => {
        ran = true;
      },
      { ...options, signal: controller.signal },
    );
    await expect(late).rejects.toThrow('gone');
    expect(ran).toBe(false);
  });
});
