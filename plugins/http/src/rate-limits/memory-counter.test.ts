import { FakeClock } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import { MemoryCounter, mostCallers } from './memory-counter.js';

describe('a counter in memory', () => {
  test('begins a window with the first request of a caller, and a new one after its end', async () => {
    const clock = new FakeClock();
    const counter = new MemoryCounter({ limit: 2, windowMs: 1_000 }, clock);
    expect(counter.count('a')).toEqual({ left: 1, leftMs: 1_000 });
    await clock.advance(400);
    expect(counter.count('a')).toEqual({ left: 0, leftMs: 600 });
    expect(counter.count('b')).toEqual({ left: 1, leftMs: 1_000 });
    expect(counter.count('a')).toEqual({ left: -1, leftMs: 600 });
    await clock.advance(600);
    expect(counter.count('a')).toEqual({ left: 1, leftMs: 1_000 });
    expect(counter.count('b')).toEqual({ left: 0, leftMs: 400 });
  });

  test('leaves no more than its window, whatever the fractions of the clock', async () => {
    const clock = new FakeClock();
    await clock.advance(131.6);
    expect(clock.now() + 4_000 - clock.now()).toBeGreaterThan(4_000);
    expect(new MemoryCounter({ limit: 2, windowMs: 4_000 }, clock).count('a').leftMs).toBe(4_000);
  });

  test('sets no timer, and keeps no window that has ended', async () => {
    const clock = new FakeClock();
    const counter = new MemoryCounter({ limit: 2, windowMs: 1_000 }, clock);
    for (let caller = 0; caller < 1_000; caller++) counter.count(`${caller}`);
    expect([counter.size, clock.pending]).toEqual([1_000, 0]);
    await clock.advance(1_000);
    counter.count('another');
    expect(counter.size).toBe(1);
  });

  test('lets callers beyond the most share one window, and those it knows keep theirs', async () => {
    const clock = new FakeClock();
    const counter = new MemoryCounter({ limit: 2, windowMs: 1_000 }, clock);
    for (let caller = 0; caller < mostCallers; caller++) counter.count(`${caller}`);
    expect(counter.count('late').left).toBe(1);
    expect(counter.count('later').left).toBe(0);
    expect(counter.count('latest').left).toBe(-1);
    expect(counter.count('7').left).toBe(0);
    for (let caller = 0; caller < 1_000; caller++) counter.count(`made up ${caller}`);
    expect(counter.size).toBe(mostCallers + 1);
    await clock.advance(1_000);
    expect(counter.count('latest').left).toBe(1);
  });
});
