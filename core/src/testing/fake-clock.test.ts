import { describe, expect, test } from 'vitest';
import { FakeClock } from './fake-clock.js';

describe('FakeClock', () => {
  test('fires timers in the order of their time, then of their setting', async () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    clock.schedule(20, () => fired.push('later'));
    clock.schedule(10, () => fired.push('first'));
    clock.schedule(10, () => fired.push('second'));
    await clock.advance(20);
    expect(fired).toEqual(['first', 'second', 'later']);
  });

  test('fires a timer that a fired one has set, when it falls due in the same push', async () => {
    const clock = new FakeClock();
    const at: number[] = [];
    clock.schedule(10, () => clock.schedule(10, () => at.push(clock.now())));
    await clock.advance(30);
    expect(at).toEqual([20]);
  });

  test('runs what awaits a sleep before the next timer fires', async () => {
    const clock = new FakeClock();
    const steps: number[] = [];
    const work = (async () => {
      for (let step = 0; step < 3; step++) {
        await clock.sleep(5);
        steps.push(clock.now());
      }
    })();
    await clock.advance(100);
    await work;
    expect(steps).toEqual([5, 10, 15]);
  });

  test('an aborted sleep rejects with the reason and leaves no timer', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const slept = clock.sleep(1_000, controller.signal);
    controller.abort(new Error('enough'));
    await expect(slept).rejects.toThrow('enough');
    await expect(clock.sleep(1, controller.signal)).rejects.toThrow('enough');
    expect(clock.pending).toBe(0);
  });
});
