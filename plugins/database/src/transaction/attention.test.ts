import { describe, expect, test } from 'vitest';
import { Attention } from './attention.js';

const why = new Error('it is over');
const never = <T>() => new Promise<T>(() => {});

describe('what somebody waits for', () => {
  test('settles as it does when nobody breaks it off', async () => {
    const attention = new Attention();
    expect(await attention.attend(Promise.resolve(1))).toBe(1);
    await expect(attention.attend(Promise.reject(why))).rejects.toBe(why);
    expect(attention.busy).toBe(false);
    expect(attention.abandon(() => why)).toBeUndefined();
  });

  test('is over at once when it is broken off, and what comes later reaches nobody', async () => {
    const attention = new Attention();
    for (const settle of ['resolve', 'reject'] as const) {
      const work = Promise.withResolvers<unknown>();
      const wait = attention.attend(work.promise);
      expect(attention.busy).toBe(true);
      const ended = attention.abandon(() => why);
      expect(attention.busy).toBe(false);
      await expect(wait).rejects.toBe(why);
      const next = attention.attend(Promise.resolve('the next'));
      work[settle]('late');
      await ended?.().catch(() => {});
      expect(await next).toBe('the next');
    }
  });
});

describe('a stream that somebody reads', () => {
  const source = (log: string[], last: () => Promise<number> = async () => 3) =>
    (async function* () {
      try {
        yield 1;
        yield 2;
        yield await last();
      } finally {
        log.push('closed');
      }
    })();

  test('is busy from the first chunk to the last', async () => {
    const attention = new Attention();
    const log: string[] = [];
    const seen: number[] = [];
    for await (const chunk of attention.read(source(log))) {
      expect(attention.busy).toBe(true);
      seen.push(chunk);
    }
    expect({ seen, log, busy: attention.busy }).toEqual({ seen: [1, 2, 3], log: ['closed'], busy: false });
  });

  test('is closed when its reader leaves early', async () => {
    const attention = new Attention();
    const log: string[] = [];
    for await (const _ of attention.read(source(log))) break;
    expect({ log, busy: attention.busy }).toEqual({ log: ['closed'], busy: false });
  });

  test('is over at once for a reader who waits for the next chunk', async () => {
    const attention = new Attention();
    const rows = attention.read(source([], never));
    await rows.next();
    await rows.next();
    const third = rows.next();
    await Promise.resolve();
    expect(attention.abandon(() => why)).toBeDefined();
    await expect(third).rejects.toBe(why);
    expect(await rows.next()).toEqual({ done: true, value: undefined });
  });

  test('is closed behind the back of a reader who does something else, and over when that one comes back', async () => {
    const attention = new Attention();
    const log: string[] = [];
    const rows = attention.read(source(log));
    await rows.next();
    await attention.abandon(() => why)?.();
    expect({ log, busy: attention.busy }).toEqual({ log: ['closed'], busy: false });
    await expect(rows.next()).rejects.toBe(why);
  });
});
