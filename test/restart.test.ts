import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '@keelson/test-support/eventually';
import { Ledger } from '@keelson/test-support/ledger';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { afterEach, beforeEach, expect, test } from 'vitest';

let directory: string;
let server: PostgresServer;
let service: ServiceProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'keelson-restart-'));
  server = await startPostgres();
  const url = await server.createDatabase('orders');
  service = await startService({
    variables: {
      KEELSON_ENV: 'postgres',
      DATABASE_URL: url,
      KEELSON_HEALTH__DETAILS: 'facts',
      KEELSON_HEALTH__CHECKS__DATABASE__INTERVAL_MS: '100',
    },
  });
});

afterEach(async () => {
  await service?.[Symbol.asyncDispose]();
  await server?.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const stock = 1_000_000_000;
const clients = 6;
/** Between two requests of a client, so that a service that refuses at once is not asked in a spin. */
const betweenRequestsMs = 5;
const outageMs = 3_000;

/** Clients that order without end. Each order has a quantity of its own, which is its key in the ledger. */
class Stream {
  readonly statuses = new Map<number, number>();
  readonly #ledger: Ledger;
  readonly #clients: Promise<void>[];
  #quantity = 0;
  #ended = false;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#clients = Array.from({ length: clients }, () => this.#order());
  }

  get acknowledged(): number {
    return this.statuses.get(201) ?? 0;
  }

  /** Resolves once `count` further orders have been placed. */
  async flows(count: number): Promise<void> {
    const enough = this.acknowledged + count;
    await eventually(() => this.acknowledged >= enough, { timeoutMs: 15_000, that: `${count} more orders` });
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#clients);
  }

  async #order(): Promise<void> {
    while (!this.#ended) {
      const quantity = ++this.#quantity;
      this.#ledger.attempted(String(quantity));
      const { status, body } = await service.request('POST', '/orders', { sku: 'mug', quantity });
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      if (status === 201) this.#ledger.acknowledged(String(quantity));
      else if (!body.type.endsWith('DATABASE_AMBIGUOUS_COMMIT')) this.#ledger.refused(String(quantity));
      await pause(betweenRequestsMs);
    }
  }
}

/** What the last sample of the database has seen of the pool. */
async function pool(): Promise<{ total: number; idle: number; busy: number; waiting: number }> {
  const { body } = await service.request('GET', '/readyz');
  return body.checks['database:responseTime'][0].facts.pool;
}

async function expectReadiness(status: 200 | 503): Promise<void> {
  await eventually(async () => expect((await service.request('GET', '/readyz')).status).toBe(status));
}

test('a service under requests outlives restarts and an outage of PostgreSQL, and keeps every order it confirmed', async () => {
  await service.request('POST', '/products', { sku: 'mug', stock });
  using ledger = new Ledger(join(directory, 'ledger'));
  const stream = new Stream(ledger);
  await stream.flows(50);

  await server.restart('fast');
  await stream.flows(50);

  await server.restart('immediate');
  await stream.flows(50);

  await server.stop('fast');
  await expectReadiness(503);
  expect((await service.request('GET', '/livez')).status).toBe(200);
  await pause(outageMs);
  await server.start();
  await stream.flows(50);
  await stream.end();

  expect(service.isRunning).toBe(true);
  expect([...stream.statuses.keys()].filter(status => status !== 201 && status !== 503)).toEqual([]);
  const rows = await server.query<{ quantity: number }>('select quantity from order_lines', [], 'orders');
  expect(ledger.compare(rows.map(({ quantity }) => String(quantity)))).toMatchObject({
    lost: [],
    duplicated: [],
    refusedButStored: [],
    unknown: [],
  });
  const sold = rows.reduce((sum, { quantity }) => sum + quantity, 0);
  expect((await service.request('GET', '/products/mug')).body.stock).toBe(stock - sold);
  await expectReadiness(200);
  await eventually(async () => {
    const { total, idle, busy, waiting } = await pool();
    expect({ idle, busy, waiting }).toEqual({ idle: total, busy: 0, waiting: 0 });
  });
}, 60_000);
