import { describe, expect, test } from 'vitest';
import { BreakableWait } from './breakable-wait.js';

const why = new Error('it is over');
const never = <T>() => new Promise<T>(() => {});

describe('what somebody waits for', () => {
  test('settles like its work when it is not broken off', async () => {
    const wait = new BreakableWait();
    expect(await wait.until(Promise.resolve(1))).toBe(1);
    await expect(wait.until(Promise.reject(why))).rejects.toBe(why);
    expect(wait.busy).toBe(false);
    expect(wait.abandon(() => why)).toBeUndefined();
  });

  test('rejects at once when it is broken off, and ignores later results', async () => {
    const wait = new BreakableWait();
    for (const settle of ['resolve', 'reject'] as const) {
      const work = Promise.withResolvers<unknown>();
      const waiting = wait.until(work.promise);
      expect(wait.busy).toBe(true);
      const ended = wait.abandon(() => why);
      expect(wait.busy).toBe(false);
      await expect(waiting).rejects.toBe(why);
      const next = wait.until(Promise.resolve('the next'));
      work[settle]('late');
      await ended?.().catch(() => {});
      expect(await next).toBe('the next');
    }
  });
});

describe('a stream with a reader', () => {
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
    const wait = new BreakableWait();
    const log: string[] = [];
    const seen: number[] = [];
    for await (const chunk of wait.read(source(log))) {
      expect(wait.busy).toBe(true);
      seen.push(chunk);
    }
    expect({ seen, log, busy: wait.busy }).toEqual({ seen: [1, 2, 3], log: ['closed'], busy: false });
  });

  test('is closed when its reader leaves early', async () => {
    const wait = new BreakableWait();
    const log: string[] = [];
    for await (const _ of wait.read(source(log))) break;
    expect({ log, busy: wait.busy }).toEqual({ log: ['closed'], busy: false });
  });

  test('is over at once for a reader who waits for the next chunk', async () => {
    const wait = new BreakableWait();
    const rows = wait.read(source([], never));
    await rows.next();
    await rows.next();
    const third = rows.next();
    await Promise.resolve();
    expect(wait.abandon(() => why)).toBeDefined();
    await expect(third).rejects.toBe(why);
    expect(await rows.next()).toEqual({ done: true, value: undefined });
  });

  test('is closed behind the back of a reader who does something else, and over when that one comes back', async () => {
    const wait = new BreakableWait();
    const log: string[] = [];
    const rows = wait.read(source(log));
    await rows.next();
    await wait.abandon(() => why)?.();
    expect({ log, busy: wait.busy }).toEqual({ log: ['closed'], busy: false });
    await expect(rows.next()).rejects.toBe(why);
  });
});
