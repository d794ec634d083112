import { FakeClock } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import { Healing } from './healing.js';

/** `back` may be changed while it runs; `silent` pings end only when they are aborted. */
const setUp = (database: { back: boolean; silent?: boolean }) => {
  const clock = new FakeClock();
  const askedAt: number[] = [];
  let healed = 0;
  const healing = new Healing({
    clock,
    onHealed: () => {
      healed += 1;
    },
    ping: signal => {
      askedAt.push(clock.now());
      if (database.back) return Promise.resolve();
      if (database.silent !== true) return Promise.reject(new Error('away'));
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  });
  return { clock, healing, askedAt, healed: () => healed };
};

describe('healing', () => {
  test('asks in growing pauses until the database is back, reports it once, and stops asking', async () => {
    const database = { back: false };
    const { clock, healing, askedAt, healed } = setUp(database);
    healing.start();
    await clock.advance(20_000);
    const pauses = askedAt.map((at, index) => at - (askedAt[index - 1] ?? 0));
    expect(askedAt.length).toBeGreaterThanOrEqual(10);
    expect(pauses[0]).toBeLessThanOrEqual(250);
    for (const [index, pause] of pauses.entries()) {
      const longest = Math.min(250 * 2 ** index, 2_000);
      expect(pause).toBeGreaterThanOrEqual(longest / 2 - 1e-6);
      expect(pause).toBeLessThanOrEqual(longest + 1e-6);
    }
    expect(healed()).toBe(0);
    database.back = true;
    await clock.advance(2_000);
    expect([healed(), clock.pending]).toEqual([1, 0]);
  });

  test('gives a question two seconds, and asks one at a time', async () => {
    const { clock, healing, askedAt } = setUp({ back: false, silent: true });
    healing.start();
    await clock.advance(2_000);
    expect(askedAt.length).toBe(1);
    await clock.advance(1_000);
    expect(askedAt.length).toBe(2);
    expect((askedAt[1] ?? 0) - (askedAt[0] ?? 0)).toBeGreaterThanOrEqual(2_000);
  });

  test('started twice asks once', async () => {
    const { clock, healing, askedAt } = setUp({ back: true });
    healing.start();
    healing.start();
    await clock.advance(1_000);
    expect(askedAt.length).toBe(1);
  });

  test('reports nothing after it was stopped, not even the result of a pending check', async () => {
    const database = { back: false, silent: true };
    const { clock, healing, askedAt, healed } = setUp(database);
    healing.start();
    await clock.advance(300);
    expect(askedAt.length).toBe(1);
    healing.stop();
    await clock.advance(10_000);
    expect([askedAt.length, healed(), clock.pending]).toEqual([1, 0, 0]);
  });

  test('begins with a short pause when it is started again', async () => {
    const database = { back: false };
    const { clock, healing, askedAt } = setUp(database);
    healing.start();
    await clock.advance(10_000);
    healing.stop();
    const before = askedAt.length;
    healing.start();
    await clock.advance(250);
    expect(askedAt.length).toBe(before + 1);
  });

  test('answers a single question, and never rejects', async () => {
    expect(await setUp({ back: true }).healing.ask()).toBe(true);
    expect(await setUp({ back: false }).healing.ask()).toBe(false);
    const { clock, healing } = setUp({ back: false, silent: true });
    const answer = healing.ask();
    await clock.advance(2_000);
    expect(await answer).toBe(false);
    expect(clock.pending).toBe(0);
  });
});
