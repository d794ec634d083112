import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from '@keelson/test-support/database';
import { freePort } from '@keelson/test-support/free-port';
import { guard, release } from '@keelson/test-support/guardian';
import { recordModules } from '@keelson/test-support/recorded-modules';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execute, schema } from './bench-database.js';
import { type Counts, countsOf } from './counts.js';
import { observedKinds } from './observed-kinds.js';
import type { Scenario } from './requests.js';
import { type ServiceKind, serviceKind } from './service-kinds.js';

/** What requests take now. Lower them when they are beaten: one that grows makes each request of each service dearer. */
const limits = {
  get: { messages: 7, roundTrips: 1, statements: 3, allocatedKb: 130, promotedKb: 3 },
  post: { messages: 11, roundTrips: 3, statements: 5, allocatedKb: 235, promotedKb: 3 },
} as const satisfies Readonly<Record<string, Counts>>;
const guarded = ['get', 'post'] as const satisfies readonly (keyof typeof limits)[];

/** What is compiled by then is not always the same, and with it what is allocated. */
const tolerance = 1.25;

let directory: string;
let counts: Awaited<ReturnType<typeof countsOf>>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'keelson-bench-'));
  guard(directory);
  counts = await count(serviceKind('keelson'), guarded);
}, 300_000);

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
  release(directory);
});

async function count(kind: ServiceKind, scenarios: readonly Scenario[]) {
  await using database = await createTestDatabase();
  await execute(database.url, schema);
  return await countsOf(kind, { databaseUrl: database.url, logFile: join(directory, 'log') }, scenarios);
}

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

/** Counted twice, a request of the same service differs by less. A counter of prom-client would be more. */
const sameWithin = 1.015;

test('with use: none, a request allocates no more than without the slots, and no module of a vendor is loaded', async () => {
  const { variables, modules } = await recordModules();
  const { none } = observedKinds(await freePort());
  const mostKb = (counts.get('get')?.allocatedKb ?? 0) * sameWithin;
  let leastKb = Number.POSITIVE_INFINITY;
  // What a service does in the background only adds to a count, and more so on a busy machine.
  for (let times = 0; times < 3 && leastKb > mostKb; times++) {
    const counted = await count({ ...none, variables: { ...none.variables, ...variables } }, ['get']);
    leastKb = Math.min(leastKb, counted.get('get')?.allocatedKb ?? Number.POSITIVE_INFINITY);
  }
  expect(leastKb).toBeLessThanOrEqual(mostKb);
  const ofVendors = /@sentry\/|@opentelemetry\/|prom-client|telemetry-(sentry|otel)|metrics-(prometheus|otlp)/;
  expect((await modules()).filter(url => ofVendors.test(url))).toEqual([]);
}, 120_000);
