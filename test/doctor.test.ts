import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { freePort } from '@keelson/test-support/free-port';
import { queryOnce } from '@keelson/test-support/query-once';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { afterAll, beforeAll, expect, test } from 'vitest';

let database: TestDatabase;
let production: Record<string, string>;

beforeAll(async () => {
  database = await createTestDatabase();
  production = {
    KEELSON_ENV: 'production',
    DATABASE_URL: database.url,
    PORT: String(await freePort()),
    ADMIN_PORT: String(await freePort()),
    SENTRY_DSN: `http://key@127.0.0.1:${await freePort()}/1`,
  };
});

afterAll(() => database?.[Symbol.asyncDispose]());

const namesOf = (out: string) => {
  const findings: { plugin: string; name: string; status: string; output: string }[] = JSON.parse(out);
  return new Map(findings.map(finding => [`${finding.plugin}: ${finding.name}`, finding]));
};

test('keelson doctor examines all that the orders example meets in production, and changes nothing', async () => {
  const { code, stdout } = await runKeelson(['doctor', '--json'], { variables: production });
  const found = namesOf(stdout);
  expect([...found.values()].filter(({ status }) => status === 'fail')).toEqual([]);
  expect(code).toBe(0);
  expect(found.get('database: writes')?.status).toBe('pass');
  expect(found.get('database: migrations')).toMatchObject({
    status: 'pass',
    output: expect.stringContaining('next start'),
  });
  expect(found.get('telemetry: sending')?.status).toBe('pass');
  expect(found.get('http: port')?.status).toBe('pass');

  const rows = await queryOnce(database.url, `select * from pg_tables where schemaname = 'public'`);
  expect(rows).toEqual([]);
}, 30_000);

test('keelson doctor exits with 1 when something would fail, and says what to do', async () => {
  const variables = { ...production, KEELSON_DATABASE__POOL__MAX: '1000' };
  const { code, stdout } = await runKeelson(['doctor'], { variables });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FAIL {2}database: connections {2}0 instances .*\n {6}-> Lower pool\.max/m);
}, 30_000);

test('keelson doctor reports a missing database like any other finding', async () => {
  const url = `postgresql://keelson@127.0.0.1:${await freePort()}/orders`;
  const variables = { ...production, DATABASE_URL: url, KEELSON_DATABASE__CONNECT__TIMEOUT_MS: '200' };
  const { code, stdout } = await runKeelson(['doctor', '--json'], { variables });
  expect(code).toBe(1);
  expect(namesOf(stdout).get('database: start')).toMatchObject({
    status: 'fail',
    output: expect.stringMatching(
      /^DATABASE_CONNECT_FAILED: The database 127\.0\.0\.1:\d+\/orders accepted no connection within 200 ms/,
    ),
  });
  expect(namesOf(stdout).get('http: port')?.status).toBe('pass');
}, 30_000);
