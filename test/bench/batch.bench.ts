import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { DatabaseModel } from '@keelson/database';
import { createTestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { describe, expect, test } from 'vitest';
import { Event, eventModel, eventRows } from './event-model.js';

const Small = defineEntity({ name: 'Small', tableName: 'small', properties: { value: p.integer().primary() } });

class CreateSmall extends Migration {
  override async up(): Promise<void> {
    this.addSql('create table small (value integer primary key)');
  }
}

const smallModel: DatabaseModel = { entities: [Small], migrations: [CreateSmall] };
const rows = eventRows(10_000);

describe('storing 10,000 rows', () => {
  test('by COPY is faster than insertMany', { timeout: 120_000 }, async ({ bench }) => {
    await using testDatabase = await createTestDatabase();
    await using service = createPostgresqlService({ url: testDatabase.url, models: [eventModel] });
    const { database } = service;
    await database.connect();
    await database.migrate();
    const options = { iterations: 8, warmupIterations: 2, time: 0, warmupTime: 0 };
    const emptied = {
      beforeEach: async () => {
        await database.session(em => em.execute('truncate event'));
      },
    };
    const results = await bench.compare(
      bench('em.insertMany, 500 rows each', emptied, () =>
        database.session(async em => {
          for (let at = 0; at < rows.length; at += 500) await em.insertMany(Event, rows.slice(at, at + 500));
        }),
      ),
      bench('batch, entities, 500 each', emptied, async () => {
        await database.batch(rows, async (em, chunk) => {
          for (const row of chunk) em.create(Event, row, { persist: true });
        });
      }),
      bench('bulkInsert, COPY', emptied, async () => {
        await database.bulkInsert(Event, rows);
      }),
      options,
    );
    const insertMany = results.get('em.insertMany, 500 rows each').latency.min;
    const batch = results.get('batch, entities, 500 each').latency.min;
    const copy = results.get('bulkInsert, COPY').latency.min;
    const versus = (ms: number) => `${ms.toFixed(0)} ms, ${(ms / insertMany).toFixed(2)} x insertMany`;
    console.log(
      `em.insertMany: ${insertMany.toFixed(0)} ms\nbatch of entities: ${versus(batch)}\nCOPY: ${versus(copy)}`,
    );
    expect(copy / insertMany).toBeLessThan(1);
  });
});

describe('a million rows of an async generator', () => {
  test('go in by COPY in one transaction, in the memory of a chunk', { timeout: 180_000 }, async () => {
    await using testDatabase = await createTestDatabase();
    await using service = createPostgresqlService({ url: testDatabase.url, models: [smallModel] });
    const { database } = service;
    await database.connect();
    await database.migrate();
    async function* source() {
      for (let value = 0; value < 1_000_000; value++) yield { value };
    }
    const heap: number[] = [];
    const { done, elapsedMs } = await database.bulkInsert(Small, source(), {
      onProgress: ({ chunks }) => {
        if (chunks % 20 === 0) heap.push(heapUsed());
      },
    });
    const [first = 0, ...rest] = heap;
    const grownMb = (Math.max(...rest) - first) / 1e6;
    console.log(`${done} rows in ${(elapsedMs / 1_000).toFixed(1)} s, heap grown by at most ${grownMb.toFixed(1)} MB`);
    expect(done).toBe(1_000_000);
    expect(grownMb).toBeLessThan(10);
  });
});

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
