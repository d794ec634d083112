import { FakeClock, RecordingLogger } from '@keelson/core/testing';
import type { EntityManager } from '@keelson/database/contract';
import { emptyPgliteDump } from '@keelson/test-support/empty-pglite';
import { eventually } from '@keelson/test-support/eventually';
import { createPgliteService, type PgliteService } from '@keelson/test-support/pglite-service';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CreateIdempotencyKeys } from '../idempotency.js';
import { KeyCleaner } from './key-cleaner.js';

describe('expired idempotency keys', () => {
  let service: PgliteService;

  beforeAll(async () => {
    service = createPgliteService({
      models: [{ entities: [], migrations: [CreateIdempotencyKeys] }],
      dump: await emptyPgliteDump(),
    });
    await service.database.connect();
    await service.database.migrate();
  }, 120_000);

  afterAll(() => service[Symbol.asyncDispose]());

  beforeEach(() => service.database.session(em => em.execute('truncate keelson_idempotency_keys')));

  const count = async (em: EntityManager) => {
    const rows = await em.execute<{ count: string }[]>('select count(*) as count from keelson_idempotency_keys');
    return Number(rows[0]?.count);
  };

  const fill = (keys: number, seconds: number) =>
    service.database.session(em =>
      em.execute(
        `insert into keelson_idempotency_keys
         select 's', gen_random_uuid()::text, 'f', 'a', now() + ? * interval '1 s' from generate_series(1, ?)`,
        [seconds, keys],
      ),
    );

  test('are deleted, however many, and the others stay', async () => {
    await fill(2_500, -1);
    await fill(3, 3_600);
    const logger = new RecordingLogger();
    using cleaner = new KeyCleaner({ database: service.database, clock: new FakeClock(), logger });
    expect(await cleaner.clean()).toBe(2_500);
    expect(await service.database.read(count)).toBe(3);
  });

  test('are deleted now and then, until the service stops', async () => {
    const clock = new FakeClock();
    const parts = {
      database: service.database,
      clock,
      logger: new RecordingLogger(),
      everyMs: 1_000,
      random: () => 0.5,
    };
    const cleaner = new KeyCleaner(parts);
    await cleaner.start();
    for (const _round of [1, 2]) {
      await fill(1, -1);
      await clock.advance(1_000);
      await eventually(async () => expect(await service.database.read(count)).toBe(0));
      await eventually(async () => expect(clock.pending).toBe(1));
    }
    cleaner[Symbol.dispose]();
    expect(clock.pending).toBe(0);
  });
});
