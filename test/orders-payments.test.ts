import { randomUUID } from 'node:crypto';
import { eventually } from '@keelson/test-support/eventually';
import { type PaymentServiceProcess, startPaymentService } from '@keelson/test-support/payment-service';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

let server: PostgresServer;
let proxy: TcpProxy;
let payments: PaymentServiceProcess;
let databaseUrl: string;
let service: ServiceProcess;
let other: ServiceProcess;

beforeAll(async () => {
  [server, payments] = await Promise.all([startPostgres(), startPaymentService()]);
  databaseUrl = await server.createDatabase('orders');
  proxy = await startTcpProxy({ to: databaseUrl });
  service = await startService({ variables: variablesFor(proxy.url()) });
  other = await startService({ variables: variablesFor(databaseUrl) });
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await payments?.[Symbol.asyncDispose]();
  await proxy?.dispose();
  await server?.dispose();
});

beforeEach(() => payments.setMode('answer'));

function variablesFor(url: string) {
  return {
    KEELSON_ENV: 'postgres',
    DATABASE_URL: url,
    KEELSON_HTTP_CLIENT__TARGETS__PAYMENTS__BASE_URL: payments.url,
    KEELSON_HTTP_CLIENT__TARGETS__PAYMENTS__ATTEMPT_TIMEOUT_MS: '1000',
    KEELSON_HTTP_CLIENT__TARGETS__PAYMENTS__TIMEOUT_MS: '2000',
    KEELSON_ORDERS__PAYMENTS__EVERY_MS: '200',
    KEELSON_HEALTH__CHECKS__PAYMENTS__INTERVAL_MS: '100',
    KEELSON_HEALTH__DETAILS: 'checks',
  };
}

const unitPriceCents = 1_990;

async function product(stock: number): Promise<string> {
  const sku = `sku-${randomUUID()}`;
  await service.request('POST', '/products', { sku, stock, unitPriceCents });
  return sku;
}

/** Places an order of one piece; resolves to its id. */
async function place(sku: string, at: ServiceProcess = service): Promise<string> {
  const { status, body } = await at.request('POST', '/orders', { sku, quantity: 1 });
  expect(status).toBe(201);
  return body.id;
}

async function statusOf(id: string): Promise<string> {
  return (await other.request('GET', `/orders/${id}`)).body.status;
}

const become = (ids: readonly string[], status: string) =>
  eventually(async () => expect(new Set(await Promise.all(ids.map(statusOf)))).toEqual(new Set([status])), {
    timeoutMs: 15_000,
    intervalMs: 50,
  });

/** What the payment service has of these orders. */
async function chargesOf(ids: readonly string[]) {
  return (await payments.payments()).filter(({ orderId }) => ids.includes(orderId));
}

async function expectChargedOnce(ids: readonly string[]): Promise<void> {
  const charges = await chargesOf(ids);
  expect(charges.map(({ orderId }) => orderId).toSorted()).toEqual(ids.toSorted());
  for (const charge of charges) expect(charge).toMatchObject({ amountCents: unitPriceCents, status: 'paid' });
}

test('an order is paid right after it was placed, and cannot be cancelled any more', async () => {
  const id = await place(await product(1));
  await become([id], 'paid');
  expect(await chargesOf([id])).toMatchObject([{ amountCents: unitPriceCents, currency: 'EUR' }]);
  const refused = await service.request('POST', `/orders/${id}/cancel`);
  expect(refused).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:ORDERS_PAYMENT_STARTED' } });
});

test('an order of nothing is paid without a charge', async () => {
  const sku = `sku-${randomUUID()}`;
  await service.request('POST', '/products', { sku, stock: 1 });
  const id = await place(sku);
  await become([id], 'paid');
  expect(await chargesOf([id])).toEqual([]);
});

test('a declined order gives its stock back, once', async () => {
  await payments.setMode('decline');
  const sku = await product(3);
  const ids = [await place(sku), await place(sku)];
  await become(ids, 'declined');
  expect((await service.request('GET', `/products/${sku}`)).body.stock).toBe(3);
});

describe('an order is charged exactly once', () => {
  test.each(['cut after', 'cut before', 'hang', 'fail'] as const)(
    'when the payment service does this: %s',
    async mode => {
      await payments.setMode(mode);
      const sku = await product(5);
      const ids = await Promise.all([place(sku), place(sku, other), place(sku)]);
      await become(ids, 'payment-unknown');
      await eventually(async () => {
        const ready = await Promise.all([service, other].map(each => each.request('GET', '/readyz')));
        expect(ready.map(({ status }) => status)).toEqual([200, 200]);
        expect(JSON.stringify(ready.map(({ body }) => body.checks['payments:responseTime']))).toMatch(
          /Payments without an answer: [1-3]\./,
        );
      });
      await payments.setMode('answer');
      await become(ids, 'paid');
      await expectChargedOnce(ids);
    },
  );

  test('by two instances that look for due payments at the same time', async () => {
    const sku = await product(200);
    const clients = [service, other, service, other].map(async at => {
      const placed: string[] = [];
      while (placed.length < 15) placed.push(await place(sku, at));
      return placed;
    });
    const ids = (await Promise.all(clients)).flat();
    await become(ids, 'paid');
    await expectChargedOnce(ids);
    expect((await chargesOf(ids)).map(({ requests }) => requests)).toEqual(Array(60).fill(1));
  });

  test('when the database restarts between the charge and its answer', async () => {
    await payments.setMode('hang');
    const sku = await product(5);
    const ids = await Promise.all([place(sku), place(sku, other)]);
    await eventually(async () => expect(await chargesOf(ids)).toHaveLength(2));
    await server.restart('immediate');
    await payments.setMode('answer');
    await become(ids, 'paid');
    await expectChargedOnce(ids);
  });

  test('when its instance is killed while it waits for the answer: another one takes over', async () => {
    await payments.setMode('hang');
    const sku = await product(5);
    const lease = { KEELSON_ORDERS__PAYMENTS__LEASE_MS: '1000' };
    await using doomed = await startService({ variables: { ...variablesFor(databaseUrl), ...lease } });
    const id = await place(sku, doomed);
    await eventually(async () => expect(await chargesOf([id])).toHaveLength(1));
    doomed.kill('SIGKILL');
    await doomed.ended;
    await payments.setMode('answer');
    await become([id], 'paid');
    await expectChargedOnce([id]);
  });

  test('when the connection is cut while the answer of the payment is stored', async () => {
    const sku = await product(100);
    let isCut = false;
    const cut = proxy.onceAt(/update "orders" set "status" = /i, 'before').then(() => {
      isCut = true;
    });
    const ids: string[] = [];
    // The other instance, which has no proxy, may be the one that settles an order.
    while (!isCut && ids.length < 100) {
      const id = await place(sku);
      ids.push(id);
      await become([id], 'paid');
    }
    await cut;
    await expectChargedOnce(ids);
  });
});
