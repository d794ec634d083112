import type { IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { definePlugin, type HttpHandler, HttpServer, RetryPolicy } from '@keelson/core';
import { DatabaseService, type EntityManager } from '@keelson/database';
import { currentSession } from '@keelson/http-express';
import { RetryControl } from '@keelson/retry-opossum';
import type { Vitals } from './vitals.ts';

/** One write as its url says it: `?sku=…&quantity=…`, and for the storms the second product, `&other=…`. */
interface Write {
  readonly sku: string;
  readonly other: string;
  readonly quantity: number;
}

/** Long enough for two writers that begin together to be in each other's way. */
const overlapSeconds = 0.02;

const takeStock = 'update products set stock = stock - ? where sku = ?';
const storeOrder = `
  with placed as (
    insert into orders (id, status, total_cents, created_at) values (gen_random_uuid(), 'placed', 0, now()) returning id
  )
  insert into order_lines (order_id, position, sku, quantity, unit_price_cents) select id, 1, ?, ?, 0 from placed`;

/** The same write as `POST /orders`. */
async function place(em: EntityManager, { sku, quantity }: Write): Promise<void> {
  await em.execute(takeStock, [quantity, sku]);
  await em.execute(storeOrder, [sku, quantity]);
}

/** Locks two products, one after the other, in the order in which the url names them. */
async function lockBoth(em: EntityManager, write: Write): Promise<void> {
  await em.execute(takeStock, [write.quantity, write.sku]);
  await em.execute('select pg_sleep(?)', [overlapSeconds]);
  await em.execute(takeStock, [0, write.other]);
  await em.execute(storeOrder, [write.sku, write.quantity]);
}

/** Reads what it is going to write. */
async function readThenWrite(em: EntityManager, { sku, quantity }: Write): Promise<void> {
  const [row] = await em.execute<{ stock: number }[]>('select stock from products where sku = ?', [sku]);
  await em.execute('select pg_sleep(?)', [overlapSeconds]);
  await em.execute('update products set stock = ? where sku = ?', [Number(row?.stock) - quantity, sku]);
  await em.execute(storeOrder, [sku, quantity]);
}

/** What the suite of outages needs of the service beyond what `orders` offers. */
export default definePlugin({
  name: 'outages',
  requires: [DatabaseService, HttpServer, RetryPolicy],

  start({ container }) {
    const database = container.get(DatabaseService);
    const control = container.get(RetryControl);
    const http = container.get(HttpServer);
    const writes = (work: (write: Write, request: IncomingMessage) => Promise<void>): HttpHandler => {
      return async (request, response, next) => {
        try {
          const write = writeOf(request);
          await work(write, request);
          response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(write));
        } catch (error) {
          next(error);
        }
      };
    };
    const none = { session: 'none' } as const;
    const isolation = 'repeatable read';
    http.router(
      '/sessions',
      writes((write, request) => place(currentSession(request), write)),
    );
    http.router(
      '/storms/deadlock',
      writes(write => database.session(em => lockBoth(em, write))),
      none,
    );
    http.router(
      '/storms/serialization',
      writes(write => database.session(em => readThenWrite(em, write), { isolation })),
      none,
    );
    http.router(
      '/vitals',
      ({ url }, response) => void response.end(JSON.stringify(vitals(database, control, url === '/?collect'))),
      none,
    );
  },
});

function writeOf(request: IncomingMessage): Write {
  const { searchParams } = new URL(request.url ?? '', 'http://service');
  const sku = searchParams.get('sku') ?? '';
  return { sku, other: searchParams.get('other') ?? '', quantity: Number(searchParams.get('quantity')) };
}

function vitals(database: DatabaseService, control: RetryControl, collect: boolean): Vitals {
  if (collect) collectGarbage();
  const { total, idle, busy, waiting } = database.stats();
  const report = control.describe().find(({ target }) => target === 'database');
  return {
    pid: process.pid,
    heapMb: process.memoryUsage().heapUsed / 1e6,
    pool: { total, idle, busy, waiting },
    breaker: report?.breaker.state ?? 'closed',
    waitingCalls: report?.waiting ?? 0,
    calls: report?.counters.calls ?? 0,
    attempts: report?.counters.attempts ?? 0,
    retries: report?.counters.retries ?? 0,
    conflicts: report?.counters.conflicts ?? 0,
    budgetLeft: report?.budgetLeft ?? Number.POSITIVE_INFINITY,
  };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
}
