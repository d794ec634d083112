import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from '@keelson/test-support/database';
import { beforeAll, describe, expect, test } from 'vitest';
import { execute, schema } from './bench-database.js';
import { type AllCounts, type Counts, countsOf } from './counts.js';
import { serviceKind } from './service-kinds.js';

/** Lower them when they are beaten. One that grows makes each request of each service dearer. */
const limits: Readonly<Record<keyof AllCounts, Counts>> = {
  get: { messages: 2, roundTrips: 2, statements: 2, allocatedKb: 210 },
  post: { messages: 3, roundTrips: 3, statements: 3, allocatedKb: 320 },
  batch: { messages: 2, roundTrips: 2, statements: 2, allocatedKb: 1_750 },
  list: { messages: 2, roundTrips: 2, statements: 2, allocatedKb: 1_610 },
};
/** What is compiled by then depends on the machine, and with it how much is allocated. */
const tolerance = 1.25;

let counts: AllCounts;

beforeAll(async () => {
  await using database = await createTestDatabase();
  await execute(database.url, schema);
  const directory = mkdtempSync(join(tmpdir(), 'keelson-bench-'));
  try {
    counts = await countsOf(serviceKind('keelson'), { databaseUrl: database.url, logFile: join(directory, 'log') });
  } finally {
    rmSync(directory, { recursive: true });
  }
  console.log(JSON.stringify(counts));
}, 120_000);

describe.each(Object.keys(limits) as (keyof AllCounts)[])('a request of the bench: %s', scenario => {
  test('sends no more messages to PostgreSQL than it did', () => {
    expect(counts[scenario].messages).toBeLessThanOrEqual(limits[scenario].messages);
  });

  test('takes no more round trips and statements than it did', () => {
    expect(counts[scenario].roundTrips).toBeLessThanOrEqual(limits[scenario].roundTrips);
    expect(counts[scenario].statements).toBeLessThanOrEqual(limits[scenario].statements);
  });

  test('allocates hardly more than it did', () => {
    expect(counts[scenario].allocatedKb).toBeLessThanOrEqual(limits[scenario].allocatedKb * tolerance);
  });
});
