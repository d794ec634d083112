import { Deadline } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Permit, Permits } from './permits.js';

const setUp = (given: { max?: number; maxWaiting?: number } = {}) => {
  const clock = new FakeClock();
  const permits = new Permits({
    max: 1,
    maxWaiting: 100,
    ...given,
    clock,
    onTimeout: waitedMs => new Error(`waited ${waitedMs}`),
    onFull: () => new Error('full'),
  });
  const acquire = (timeoutMs = Number.POSITIVE_INFINITY, signal?: AbortSignal) =>
    permits.acquire(Deadline.after(timeoutMs, clock), signal);
  return { clock, permits, acquire };
};

describe('permits', () => {
  test('are given at once while there are some', async () => {
    const { permits, acquire } = setUp({ max: 2 });
    await Promise.all([acquire(), acquire()]);
    expect([permits.taken, permits.waiting]).toEqual([2, 0]);
  });

  test('released twice are released once', async () => {
    const { permits, acquire } = setUp({ max: 2 });
    const [permit] = await Promise.all([acquire(), acquire()]);
    permit.release();
    permit.release();
    expect(permits.taken).toBe(1);
  });

  test('refuse a caller at once when the queue is full', async () => {
    const { permits, acquire } = setUp({ maxWaiting: 1 });
    const first = await acquire();
    const second = acquire();
    await expect(acquire()).rejects.toThrow('full');
    first.release();
    await second;
    expect(permits.counters).toMatchObject({ acquired: 2, waited: 1, refused: 1, timedOut: 0 });
  });

  test('refuse a caller whose time is over, and say how long it waited', async () => {
    const { clock, permits, acquire } = setUp();
    await acquire();
    const late = expect(acquire(50)).rejects.toThrow('waited 50');
    await clock.advance(50);
    await late;
    expect([permits.waiting, permits.counters.timedOut, clock.pending]).toEqual([0, 1, 0]);
  });

  test('refuse a caller who gives up, with its own reason', async () => {
    const { clock, permits, acquire } = setUp();
    const held = await acquire();
    const caller = new AbortController();
    const waiting = expect(acquire(50, caller.signal)).rejects.toThrow('gone');
    caller.abort(new Error('gone'));
    await waiting;
    await expect(acquire(50, caller.signal)).rejects.toThrow('gone');
    held.release();
    expect([permits.taken, permits.waiting, clock.pending]).toEqual([0, 0, 0]);
  });

  test('pass over a caller who has left the queue', async () => {
    const { clock, acquire } = setUp();
    const held = await acquire();
    const impatient = acquire(10).catch(() => 'left');
    const patient = acquire();
    await clock.advance(10);
    held.release();
    await patient;
    expect(await impatient).toBe('left');
  });

  test('count waits by their length', async () => {
    const { clock, permits, acquire } = setUp();
    const held = await acquire();
    const waiting = acquire();
    await clock.advance(30);
    held.release();
    await waiting;
    expect(permits.counters.waitMs.filter(({ count }) => count > 0)).toEqual([{ upTo: 100, count: 1 }]);
  });

  test('admit no caller while suspended, and as many as there is room for when resumed', async () => {
    const { permits, acquire } = setUp({ max: 2 });
    permits.suspend();
    const waiting = [acquire(), acquire(), acquire()];
    expect([permits.taken, permits.waiting]).toEqual([0, 3]);
    permits.resume();
    expect([permits.taken, permits.waiting]).toEqual([2, 1]);
    (await Promise.race(waiting)).release();
    await Promise.all(waiting);
  });

  test('returned while suspended go to no caller', async () => {
    const { permits, acquire } = setUp();
    const held = await acquire();
    const waiting = acquire();
    permits.suspend();
    held.release();
    expect([permits.taken, permits.waiting]).toEqual([0, 1]);
    permits.resume();
    await waiting;
  });

  test('closed refuse everybody, and are closed when the last comes back', async () => {
    const { permits, acquire } = setUp();
    const held = await acquire();
    const waiting = expect(acquire()).rejects.toThrow('closed');
    let closed = false;
    const closing = permits.close(new Error('closed')).then(() => {
      closed = true;
    });
    await waiting;
    await expect(acquire()).rejects.toThrow('closed');
    expect(closed).toBe(false);
    held.release();
    await closing;
  });

  test('with none out are closed at once', async () => {
    const { permits } = setUp();
    await permits.close(new Error('closed'));
    expect(permits.taken).toBe(0);
  });
});

type Step =
  | { readonly do: 'ask' }
  | { readonly do: 'release'; readonly which: number }
  | { readonly do: 'give up'; readonly which: number }
  | { readonly do: 'suspend' | 'resume' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: 'ask' as const }) },
  { weight: 3, arbitrary: fc.nat(20).map(which => ({ do: 'release' as const, which })) },
  { weight: 1, arbitrary: fc.nat(20).map(which => ({ do: 'give up' as const, which })) },
  { weight: 1, arbitrary: fc.constantFrom({ do: 'suspend' as const }, { do: 'resume' as const }) },
);

test('whatever callers do, never more than max are in, they enter in turn, and each caller gets its turn', async () => {
  const run = async (max: number, steps: readonly Step[]) => {
    const { permits, acquire } = setUp({ max, maxWaiting: 1_000 });
    const queue: { number: number; caller: AbortController }[] = [];
    const inside: Permit[] = [];
    let asked = 0;
    let lastIn = 0;
    const settle = () => new Promise(resolve => setImmediate(resolve));
    const ask = () => {
      const one = { number: ++asked, caller: new AbortController() };
      queue.push(one);
      acquire(Number.POSITIVE_INFINITY, one.caller.signal).then(
        permit => {
          expect(queue.shift()).toBe(one);
          expect(one.number).toBeGreaterThan(lastIn);
          lastIn = one.number;
          inside.push(permit);
        },
        () => {},
      );
    };
    for (const next of steps) {
      if (next.do === 'ask') ask();
      if (next.do === 'suspend') permits.suspend();
      if (next.do === 'resume') permits.resume();
      if (next.do === 'release') inside.splice(next.which % Math.max(1, inside.length), 1)[0]?.release();
      if (next.do === 'give up') queue.splice(next.which % Math.max(1, queue.length), 1)[0]?.caller.abort();
      await settle();
      expect(permits.taken).toBe(inside.length);
      expect(permits.taken).toBeLessThanOrEqual(max);
      expect(permits.waiting).toBe(queue.length);
    }
    permits.resume();
    for (let turns = 0; queue.length > 0 && turns <= asked; turns++) {
      await settle();
      inside.shift()?.release();
    }
    await settle();
    expect(queue).toEqual([]);
  };
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 40 }), run), {
    numRuns: 60,
  });
});
