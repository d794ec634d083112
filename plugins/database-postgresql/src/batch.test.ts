import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Deadline, systemClock } from '@keelson/core';
import type { BatchProgress, DatabaseModel, DatabaseService } from '@keelson/database';
import { untilAtRest } from '@keelson/test-support/at-rest';
import { startTestService, type TestService } from '@keelson/test-support/test-service';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const Reading = defineEntity({
  name: 'Reading',
  tableName: 'reading',
  properties: { id: p.integer().primary(), sensor: p.string(), value: p.integer() },
});

class CreateReadings extends Migration {
  override async up(): Promise<void> {
    this.addSql(`create table reading (id serial primary key, sensor text not null, value integer not null,
      constraint reading_sensor_unique unique (sensor), constraint reading_value_check check (value >= 0))`);
  }
}

const model: DatabaseModel = { entities: [Reading], migrations: [CreateReadings] };
const reading = (index: number) => ({ sensor: `sensor ${index}`, value: index });
const readings = (count: number) => Array.from({ length: count }, (_, index) => reading(index));

describe('a batch', () => {
  let service: TestService;
  let database: DatabaseService;

  beforeAll(async () => {
    service = await startTestService({ models: [model], options: { pool: { max: 3 } } });
    database = service.database;
  });

  beforeEach(() => database.session(em => em.nativeDelete(Reading, {})));

  afterAll(() => service[Symbol.asyncDispose]());

  const stored = () => database.session(em => em.count(Reading));
  const store: Parameters<typeof database.batch<ReturnType<typeof reading>>>[1] = async (em, items) => {
    for (const item of items) em.create(Reading, item, { persist: true });
  };

  test('stores all items in chunks and reports its progress', async () => {
    const reported: BatchProgress[] = [];
    const done = await database.batch(readings(25), store, {
      chunkSize: 10,
      onProgress: progress => {
        reported.push(progress);
      },
    });
    expect(reported.map(({ done, chunks }) => [done, chunks])).toEqual([
      [10, 1],
      [20, 2],
      [25, 3],
    ]);
    expect(done).toMatchObject({ done: 25, chunks: 3 });
    expect(done.elapsedMs).toBeGreaterThan(0);
    expect(await stored()).toBe(25);
  });

  test('is one transaction: nothing is seen before the end, and nothing stays of one that fails', async () => {
    const seen: number[] = [];
    const outside = () => database.session(em => em.count(Reading), { nested: 'separate' });
    const failing = database.batch(
      readings(30),
      async (em, items, context) => {
        if (context.chunk === 2) {
          seen.push(await outside());
          throw new Error('no more');
        }
        await store(em, items, context);
      },
      { chunkSize: 10 },
    );
    await expect(failing).rejects.toThrow('no more');
    expect(seen).toEqual([0]);
    expect(await stored()).toBe(0);
  });

  test('of nothing touches no connection', async () => {
    const before = database.stats().counters;
    expect(await database.batch([], store)).toMatchObject({ done: 0, chunks: 0 });
    expect(database.stats().counters).toEqual(before);
  });

  test('inside a session joins it, and leaves what its EntityManager holds alone', async () => {
    const rolledBack = database.session(async em => {
      const own = em.create(Reading, { sensor: 'own', value: 1 }, { persist: true });
      await database.batch(readings(20), store, { chunkSize: 5 });
      own.value = 99;
      await em.flush();
      expect(await em.count(Reading)).toBe(21);
      expect(await em.count(Reading, { value: 99 })).toBe(1);
      throw new Error('after all not');
    });
    await expect(rolledBack).rejects.toThrow('after all not');
    expect(await stored()).toBe(0);
  });

  test('with a savepoint fails alone', async () => {
    await database.session(async em => {
      await em.insert(Reading, { sensor: 'kept', value: 1 });
      const failing = database.batch([reading(1), { sensor: 'bad', value: -1 }], store, { nested: 'savepoint' });
      await expect(failing).rejects.toMatchObject({ kind: 'check', facts: { itemIndex: 1 } });
      expect(await em.count(Reading)).toBe(1);
    });
    expect(await stored()).toBe(1);
  });

  describe('reads its source', () => {
    test('only as fast as chunks are stored', async () => {
      let pulled = 0;
      async function* source() {
        for (; pulled < 100; ) yield reading(pulled++);
      }
      const ahead: number[] = [];
      await database.batch(
        source(),
        async (em, items, context) => {
          ahead.push(pulled - context.firstItem);
          await store(em, items, context);
        },
        { chunkSize: 10 },
      );
      expect(ahead).toEqual(Array(10).fill(10));
    });

    const ways = {
      'the end': (): Promise<unknown> => database.batch(watched(), store, { chunkSize: 2 }),
      'an error of the work': () =>
        database.batch(watched(), () => Promise.reject(new Error('work')), { chunkSize: 2 }),
      'a refused item': () => database.batch(watched(-1), store, { chunkSize: 2 }),
      'an abort': () => {
        const controller = new AbortController();
        const abort = () => controller.abort(new Error('enough'));
        return database.batch(watched(), store, { chunkSize: 2, onProgress: abort, signal: controller.signal });
      },
      'a deadline': () =>
        database.batch(
          watched(),
          async (em, items, { signal }) => {
            await store(em, items, { chunk: 0, firstItem: 0, attempt: 1, signal, probing: false });
            await new Promise(resolve => signal.addEventListener('abort', resolve));
          },
          { chunkSize: 2, deadline: Deadline.after(50, systemClock) },
        ),
    };
    test('and no deadline passes unseen while source and work wait for nothing', async () => {
      function* endless() {
        for (let index = 0; ; index++) yield index;
      }
      const startedAt = performance.now();
      const run = database.batch(endless, async () => {}, { timeoutMs: 200 });
      await expect(run).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      await untilAtRest(database);
    });

    let closed = 0;
    async function* watched(value = 0) {
      try {
        for (let index = 0; index < 6; index++) yield { sensor: `sensor ${index}`, value };
      } finally {
        closed += 1;
      }
    }

    test.each(Object.entries(ways))('and closes it once on %s', async (_way, run) => {
      closed = 0;
      await run().catch(() => {});
      expect(closed).toBe(1);
      await untilAtRest(database);
    });

    test('and closes a plain iterator too', async () => {
      let returned = 0;
      const iterator: IterableIterator<ReturnType<typeof reading>> = {
        next: () => ({ done: false, value: reading(1) }),
        return: () => {
          returned += 1;
          return { done: true, value: undefined };
        },
        [Symbol.iterator]: () => iterator,
      };
      await expect(database.batch(iterator, () => Promise.reject(new Error('work')))).rejects.toThrow('work');
      expect(returned).toBe(1);
    });

    test('and does not wait for one that never answers', async () => {
      const controller = new AbortController();
      const items = readings(2);
      let closing = false;
      const source: AsyncIterable<ReturnType<typeof reading>> = {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            const value = items.shift();
            if (value !== undefined) return { done: false, value };
            controller.abort(new Error('enough'));
            return new Promise(() => {});
          },
          return: () => {
            closing = true;
            return new Promise(() => {});
          },
        }),
      };
      const batch = database.batch(source, store, { chunkSize: 2, signal: controller.signal });
      await expect(batch).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED', facts: { reason: 'signal' } });
      expect(closing).toBe(true);
      await untilAtRest(database);
    });

    test('and stores nothing when it fails', async () => {
      async function* source() {
        for (let index = 0; index < 15; index++) yield reading(index);
        throw new Error('the file ends in the middle');
      }
      await expect(database.batch(source(), store, { chunkSize: 10 })).rejects.toThrow('the file ends in the middle');
      expect(await stored()).toBe(0);
      await untilAtRest(database);
    });
  });

  test('needs the memory of one chunk, however many items there are', async () => {
    const padding = 'x'.repeat(1_000);
    function* source(count: number) {
      for (let index = 0; index < count; index++) yield { sensor: `${index} ${padding}`, value: index };
    }
    const heap: number[] = [];
    await database.batch(source(20_000), store, {
      chunkSize: 250,
      onProgress: ({ chunks }) => {
        if (chunks % 20 === 0) heap.push(heapUsed());
      },
    });
    expect(await stored()).toBe(20_000);
    const [first = 0, ...rest] = heap;
    // The entities of 15,000 items, kept, are more than 15 MB.
    expect(Math.max(...rest) - first).toBeLessThan(5e6);
  }, 120_000);

  describe('is run again', () => {
    /** The first attempt loses its connection at `chunk`. */
    const losingAt = (chunk: number): typeof store => {
      let lost = false;
      return async (em, items, context) => {
        if (context.chunk === chunk && !lost) {
          lost = true;
          await em.execute('select pg_terminate_backend(pg_backend_pid())');
        }
        await store(em, items, context);
      };
    };

    test('when its source can be read again', async () => {
      await database.batch(readings(25), losingAt(2), { chunkSize: 10 });
      expect(await stored()).toBe(25);
      await database.session(em => em.nativeDelete(Reading, {}));
      const made = () => readings(25).values();
      await database.batch(made, losingAt(2), { chunkSize: 10 });
      expect(await stored()).toBe(25);
    });

    test('when only the first chunk of a source was read', async () => {
      await database.batch(readings(25).values(), losingAt(0), { chunkSize: 10 });
      expect(await stored()).toBe(25);
    });

    test('never once more of a source was read than can be kept, and the error says so', async () => {
      const batch = database.batch(readings(25).values(), losingAt(1), { chunkSize: 10 });
      await expect(batch).rejects.toMatchObject({
        code: 'DATABASE_CONNECTION_LOST',
        facts: { notRepeated: expect.stringContaining('cannot be read again') },
      });
      expect(await stored()).toBe(0);
      await untilAtRest(database);
    });

    test('never by the session it joined, either', async () => {
      const source = readings(25).values();
      let runs = 0;
      const session = database.session(() => {
        runs += 1;
        return database.batch(source, losingAt(1), { chunkSize: 10 });
      });
      await expect(session).rejects.toMatchObject({ code: 'DATABASE_CONNECTION_LOST' });
      expect(runs).toBe(1);
    });
  });

  describe('says which item was refused', () => {
    const bad = (count: number, at: number, item: Partial<ReturnType<typeof reading>>) =>
      readings(count).map((each, index) => (index === at ? { ...each, ...item } : each));

    test.each([0, 1, 16, 24, 29])('item %i of 30', async at => {
      const batch = database.batch(bad(30, at, { value: -1 }), store, { chunkSize: 10 });
      await expect(batch).rejects.toMatchObject({
        code: 'DATABASE_QUERY_FAILED',
        kind: 'check',
        message: expect.stringContaining(`by item ${at} of the batch`),
        facts: { itemIndex: at, constraint: 'reading_value_check' },
        http: { status: 422 },
      });
      expect(await stored()).toBe(0);
      await untilAtRest(database);
    });

    test('the second of two that do not go together in one chunk', async () => {
      const batch = database.batch(bad(30, 17, { sensor: 'sensor 13' }), store, { chunkSize: 10 });
      await expect(batch).rejects.toMatchObject({ kind: 'unique', facts: { itemIndex: 17 }, http: { status: 409 } });
    });

    test('and in two chunks, when the source can be read again', async () => {
      const batch = database.batch(bad(30, 27, { sensor: 'sensor 3' }), store, { chunkSize: 10 });
      await expect(batch).rejects.toMatchObject({ kind: 'unique', facts: { itemIndex: 27 } });
    });

    test('and otherwise among which items it is', async () => {
      const batch = database.batch(bad(30, 27, { sensor: 'sensor 3' }).values(), store, { chunkSize: 10 });
      await expect(batch).rejects.toMatchObject({
        kind: 'unique',
        message: expect.stringContaining('by one of the items 20 to 29'),
        facts: { firstItem: 20, lastItem: 29 },
      });
    });

    test('of a source that can be read once', async () => {
      const batch = database.batch(bad(30, 24, { value: -1 }).values(), store, { chunkSize: 10 });
      await expect(batch).rejects.toMatchObject({ facts: { itemIndex: 24 } });
    });

    test('inside a session too', async () => {
      const session = database.session(async em => {
        await em.insert(Reading, { sensor: 'sensor 24', value: 1 });
        await database.batch(readings(30).values(), store, { chunkSize: 10 });
      });
      await expect(session).rejects.toMatchObject({ kind: 'unique', facts: { itemIndex: 24 } });
      expect(await stored()).toBe(0);
    });

    test('while work that must not run twice runs once', async () => {
      let runs = 0;
      const batch = database.batch(
        bad(10, 4, { value: -1 }),
        (em, items, context) => {
          runs += 1;
          return store(em, items, context);
        },
        { retry: 'never' },
      );
      await expect(batch).rejects.toMatchObject({ facts: { firstItem: 0, lastItem: 9 } });
      expect(runs).toBe(1);
    });

    test('with work that knows that it is looked for', async () => {
      const probing: boolean[] = [];
      const batch = database.batch(bad(10, 4, { value: -1 }), (em, items, context) => {
        probing.push(context.probing);
        return store(em, items, context);
      });
      await expect(batch).rejects.toMatchObject({ facts: { itemIndex: 4 } });
      expect(probing.slice(0, 2)).toEqual([false, true]);
      expect(probing.length).toBeLessThanOrEqual(6);
    });
  });

  test('lets an error in onProgress pass, and logs it', async () => {
    await database.batch(readings(3), store, { onProgress: () => Promise.reject(new Error('no terminal')) });
    expect(await stored()).toBe(3);
    expect(service.logger.find('onProgress of a batch failed')).toMatchObject({ level: 'error' });
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a chunkSize of %d', async chunkSize => {
    await expect(database.batch([1], async () => {}, { chunkSize })).rejects.toMatchObject({
      code: 'DATABASE_BATCH_INVALID',
    });
  });
});

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
