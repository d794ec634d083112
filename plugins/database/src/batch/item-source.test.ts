import { describe, expect, test } from 'vitest';
import { ItemSource } from './item-source.js';

describe('the source of a batch', () => {
  const never = new AbortController().signal;

  async function* numbers(to: number) {
    for (let number = 0; number < to; number++) yield number;
  }

  test('is read in chunks, the last one shorter', async () => {
    for (const source of [[0, 1, 2], new Set([0, 1, 2]), [0, 1, 2].values(), numbers(3), () => numbers(3)]) {
      await using items = new ItemSource<number>(source);
      expect([await items.read(2, never), await items.read(2, never), await items.read(2, never)]).toEqual([
        [0, 1],
        [2],
        [],
      ]);
    }
  });

  test('ends to be read as soon as the signal aborts, whatever it waits for', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const hung: AsyncIterable<number> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) };
    await using items = new ItemSource(hung);
    const read = items.read(2, controller.signal);
    controller.abort(reason);
    await expect(read).rejects.toBe(reason);
    await expect(items.read(2, controller.signal)).rejects.toBe(reason);
  });

  test('lets timers fire, and stops at an abort, also when it waits for nothing', async () => {
    function* endless() {
      for (let number = 0; ; number++) yield number;
    }
    async function* endlessPromises() {
      yield* endless();
    }
    for (const source of [endless, endlessPromises]) {
      const controller = new AbortController();
      const reason = new Error('the deadline');
      setTimeout(() => controller.abort(reason), 20);
      await using items = new ItemSource<number>(source);
      await expect(items.read(Number.MAX_SAFE_INTEGER, controller.signal)).rejects.toBe(reason);
    }
  });

  test('lets timers fire between chunks of a work that waits for nothing', async () => {
    const controller = new AbortController();
    const reason = new Error('the deadline');
    setTimeout(() => controller.abort(reason), 20);
    await using items = new ItemSource<number>(() => Array.from({ length: 1 }, () => 1));
    const work = async () => {
      for (;;) {
        await items.rewind();
        await items.read(1, controller.signal);
      }
    };
    await expect(work()).rejects.toBe(reason);
  });

  test('can begin again when it can be read again, always', async () => {
    for (const source of [[0, 1, 2], new Set([0, 1, 2]), () => numbers(3)]) {
      await using items = new ItemSource<number>(source);
      await items.read(2, never);
      await items.read(2, never);
      expect(items.canRewind).toBe(true);
      await items.rewind();
      expect(await items.read(2, never)).toEqual([0, 1]);
    }
  });

  test('can begin again when it cannot, while all that was read is one chunk', async () => {
    for (const source of [[0, 1, 2].values(), numbers(3)]) {
      await using items = new ItemSource<number>(source);
      expect(await items.read(2, never)).toEqual([0, 1]);
      expect(items.canRewind).toBe(true);
      await items.rewind();
      expect(await items.read(2, never)).toEqual([0, 1]);
      expect(await items.read(2, never)).toEqual([2]);
      expect(items.canRewind).toBe(false);
    }
  });

  test('cannot begin again after it failed in the middle of its first chunk', async () => {
    async function* failing() {
      yield 1;
      throw new Error('the file ends in the middle');
    }
    await using items = new ItemSource(failing());
    await expect(items.read(2, never)).rejects.toThrow('in the middle');
    expect(items.canRewind).toBe(false);
  });

  test('is closed once, also when closing fails', async () => {
    let closed = 0;
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false, value: 1 }),
        return: () => {
          closed += 1;
          return Promise.reject(new Error('cannot close'));
        },
      }),
    };
    const items = new ItemSource(source);
    await items.read(1, never);
    await items[Symbol.asyncDispose]();
    await items[Symbol.asyncDispose]();
    expect(closed).toBe(1);
  });
});
