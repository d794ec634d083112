import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from '@keelson/test-support/database';
import { guard, release } from '@keelson/test-support/guardian';
import { beforeAll, describe, expect, test } from 'vitest';
import { execute, schema } from './bench-database.js';
import { type Counts, countsOf } from './counts.js';
import { serviceKind } from './service-kinds.js';

/** What requests take now. Lower them when they are beaten: one that grows makes each request of each service dearer. */
const limits = {
  get: { messages: 7, roundTrips: 1, statements: 3, allocatedKb: 180, promotedKb: 3 },
  post: { messages: 11, roundTrips: 3, statements: 5, allocatedKb: 280, promotedKb: 3 },
} as const satisfies Readonly<Record<string, Counts>>;
const guarded = ['get', 'post'] as const satisfies readonly (keyof typeof limits)[];

/** What is compiled by then is not always the same, and with it what is allocated. */
const tolerance = 1.25;

let counts: Awaited<ReturnType<typeof countsOf>>;

beforeAll(async () => {
  await using database = await createTestDatabase();
  await execute(database.url, schema);
  const directory = mkdtempSync(join(tmpdir(), 'keelson-bench-'));
  guard(directory);
  try {
    const place = { databaseUrl: database.url, logFile: join(directory, 'log') };
    counts = await countsOf(serviceKind('keelson'), place, guarded);
  } finally {
    rmSync(directory, { recursive: true, force: true });
    release(directory);
  }
}, 300_000);

describe.for(guarded)('a request of the bench: %s', scenario => {
  test('sends no more messages to PostgreSQL than it did', () => {
    expect(counts.get(scenario)?.messages).toBeLessThanOrEqual(limits[scenario].messages);
  });

  test('takes no more round trips and statements than it did', () => {
    expect(counts.get(scenario)?.roundTrips).toBeLessThanOrEqual(limits[scenario].roundTrips);
    expect(counts.get(scenario)?.statements).toBeLessThanOrEqual(limits[scenario].statements);
  });

  test('allocates hardly more than it did', () => {
    expect(counts.get(scenario)?.allocatedKb).toBeLessThanOrEqual(limits[scenario].allocatedKb * tolerance);
  });

  test('leaves no more behind than it did', () => {
    expect(counts.get(scenario)?.promotedKb).toBeLessThanOrEqual(limits[scenario].promotedKb * tolerance);
  });
});
