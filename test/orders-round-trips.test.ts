import { randomUUID } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, beforeAll, expect, test } from 'vitest';

let database: TestDatabase;
let proxy: TcpProxy;
let service: ServiceProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  // Separates an answer from what follows it, whichever arrives first.
  proxy = await startTcpProxy({ to: database.url, latencyMs: 2 });
  service = await startService({ variables: { KEELSON_ENV: 'postgres', DATABASE_URL: proxy.url() } });
  for (let i = 0; i < 3; i++) await ordered(1, { 'Idempotency-Key': `"${randomUUID()}"` });
}, 120_000);

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await proxy?.dispose();
  await database?.[Symbol.asyncDispose]();
});

async function ordered(lines: number, headers: Record<string, string>) {
  const skus = Array.from({ length: lines }, () => `sku-${randomUUID()}`);
  for (const sku of skus) expect((await service.request('POST', '/products', { sku, stock: 9 })).status).toBe(201);
  const recording = proxy.recording();
  const answer = await fetch(`${service.url}/orders`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ lines: skus.map(sku => ({ sku, quantity: 1 })) }),
  });
  expect([answer.status, await answer.text()]).toEqual([201, expect.anything()]);
  return [...recording.statements];
}

/** The statement of each round trip. `BEGIN` and the question for the transaction id travel with one. */
const tripsOf = (trips: readonly string[][]) =>
  trips.map(statements =>
    statements
      .join(';')
      .replace(/^begin[\s;]+/, '')
      .replaceAll('"', '')
      .trim(),
  );

test('an order of several lines takes four round trips', async () => {
  expect(tripsOf(await ordered(3, {}))).toEqual([
    expect.stringMatching(/^with wanted as/),
    expect.stringMatching(/^insert into orders/),
    expect.stringMatching(/^insert into order_lines/),
    'commit',
  ]);
});

test('and two more with an Idempotency-Key: the claim of the key, and its answer', async () => {
  expect(tripsOf(await ordered(3, { 'Idempotency-Key': `"${randomUUID()}"` }))).toEqual([
    expect.stringMatching(/^insert into keelson_idempotency_keys/),
    expect.stringMatching(/^with wanted as/),
    expect.stringMatching(/^insert into orders/),
    expect.stringMatching(/^insert into order_lines/),
    expect.stringMatching(/^update keelson_idempotency_keys/),
    'commit',
  ]);
});
