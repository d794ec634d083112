import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { copyEmptyPglite } from '@keelson/test-support/empty-pglite';
import { freePort } from '@keelson/test-support/free-port';
import { createPgliteService } from '@keelson/test-support/pglite-service';
import { queryOnce } from '@keelson/test-support/query-once';
import { type ServiceProcess, send, startService, type Variables } from '@keelson/test-support/service-process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let database: TestDatabase;
let directory: string;

beforeAll(async () => {
  database = await createTestDatabase();
  directory = mkdtempSync(join(tmpdir(), 'keelson-swap-'));
  await copyEmptyPglite(join(directory, 'data'));
}, 120_000);

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** The same requests for every deployment; what they answer, without what chance and time have put in. */
async function useOf(service: ServiceProcess, sku: string, probesAt: string): Promise<unknown[]> {
  const answers = [
    await service.request('POST', '/products', { sku, stock: 5 }),
    await service.request('POST', '/products', { sku, stock: 5 }),
    await service.request('POST', '/orders', { sku, quantity: 2 }),
    await service.request('POST', '/orders', { sku, quantity: 4 }),
    await service.request('POST', '/orders/batch', { orders: [{ sku, quantity: 1 }] }),
    await service.request('GET', `/products/${sku}`),
    await service.request('GET', '/orders?limit=2'),
    await send(`${probesAt}/readyz`, 'GET'),
  ];
  return answers.map(({ status, body }) => ({ status, type: body.type, items: body.items?.length, stock: body.stock }));
}

const onPostgresql = (): Variables => ({ KEELSON_ENV: 'postgres', DATABASE_URL: database.url });
const inProduction = async (): Promise<Variables> => ({
  KEELSON_ENV: 'production',
  DATABASE_URL: database.url,
  SENTRY_DSN: `http://key@127.0.0.1:${await freePort()}/1`,
  KEELSON_ORDERS__WELCOME: 'true',
  KEELSON_SHUTDOWN__NOTICE_MS: '0',
  ADMIN_PORT: String(await freePort()),
});
const embedded = (): Variables => ({ KEELSON_DATABASE__DATA_DIR: join(directory, 'data') });
const silent: Variables = { KEELSON_LOGGER__USE: 'none' };

const expected = [
  { status: 201, stock: 5 },
  { status: 409, type: 'urn:keelson:problem:ORDERS_SKU_TAKEN' },
  { status: 201 },
  { status: 409, type: 'urn:keelson:problem:ORDERS_STOCK_TOO_LOW' },
  { status: 201 },
  { status: 200, stock: 2 },
  { status: 200, items: 2 },
  { status: 200 },
];

describe.each([
  ['PostgreSQL and bunyan', () => onPostgresql(), true],
  ['PostgreSQL and no logger', () => ({ ...onPostgresql(), ...silent }), false],
  ['PostgreSQL, bunyan and Sentry', () => inProduction(), true],
  ['PGlite and bunyan', () => embedded(), true],
  ['PGlite and pino', () => ({ ...embedded(), KEELSON_LOGGER__USE: '@keelson/logger-pino' }), true],
  ['PGlite and no logger', () => ({ ...embedded(), ...silent }), false],
  ['PGlite and retries on cockatiel', () => ({ ...embedded(), KEELSON_RETRY__USE: '@keelson/retry-cockatiel' }), true],
])('the same service with %s, chosen in configuration alone', (name, variables, logs) => {
  test('answers the same, and writes a log or none', async () => {
    const chosen: Variables = await variables();
    await using service = await startService({ variables: chosen });
    const { ADMIN_PORT } = chosen;
    const probesAt = ADMIN_PORT === undefined ? service.url : `http://127.0.0.1:${ADMIN_PORT}`;

    expect(await useOf(service, name.replaceAll(/\W+/g, '-'), probesAt)).toEqual(expected);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(service.stdout.includes('"msg":"POST /orders 201"')).toBe(logs);
  }, 60_000);
});

test('each stored its orders where its configuration says', async () => {
  const rows = await queryOnce(database.url, 'select distinct sku from order_lines order by sku');

  expect(rows.map(({ sku }) => sku)).toEqual([
    'PostgreSQL-and-bunyan',
    'PostgreSQL-and-no-logger',
    'PostgreSQL-bunyan-and-Sentry',
  ]);
  const embeddedDatabase = createPgliteService({ options: { dataDir: join(directory, 'data') }, models: [] });
  await using _service = embeddedDatabase;
  await embeddedDatabase.database.connect();
  const stored = await embeddedDatabase.database.read(em =>
    em.execute('select distinct sku from order_lines order by sku'),
  );
  expect(stored).toEqual(
    ['PGlite-and-bunyan', 'PGlite-and-no-logger', 'PGlite-and-pino', 'PGlite-and-retries-on-cockatiel'].map(sku => ({
      sku,
    })),
  );
});
