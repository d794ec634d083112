import { FakeClock, RecordingLogger } from '@keelson/core/testing';
import { emptyPgliteDump } from '@keelson/test-support/empty-pglite';
import { eventually } from '@keelson/test-support/eventually';
import { createPgliteService, type PgliteService } from '@keelson/test-support/pglite-service';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countCleaner } from './count-cleaner.js';

let service: PgliteService;

beforeAll(async () => {
  service = createPgliteService({ models: [{ entities: [] }], dump: await emptyPgliteDump() });
  await service.database.connect();
}, 120_000);

afterAll(() => service[Symbol.asyncDispose]());

test('the table of counts is made where it is missing, and windows that have ended are deleted from it until the stop', async () => {
  const { database } = service;
  const clock = new FakeClock();
  const parts = { database, clock, logger: new RecordingLogger(), everyMs: 1_000, random: () => 0.5 };
  const first = await countCleaner(parts);
  first[Symbol.dispose]();
  const cleaner = await countCleaner(parts);
  await database.session(em =>
    em.execute(`insert into keelson_rate_limits select n::text, 1, now() + ((n % 2) * 2 - 1) * interval '1 hour'
      from generate_series(1, 3000) n`),
  );
  await clock.advance(1_000);
  await eventually(async () => {
    const [row] = await database.read(em =>
      em.execute<{ n: string }[]>('select count(*) as n from keelson_rate_limits'),
    );
    expect(Number(row?.n)).toBe(1_500);
  });
  await eventually(() => expect(clock.pending).toBe(1));
  cleaner[Symbol.dispose]();
  expect(clock.pending).toBe(0);
});
