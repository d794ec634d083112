import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { eventually } from '@keelson/test-support/eventually';
import { Ledger } from '@keelson/test-support/ledger';
import { type Account, drawAccount, type Observations, type Stock } from './account.js';
import { brokenBy } from './invariants.js';
import { RequestStream, type Way } from './request-stream.js';
import { databaseName, initialStock, type Stage, type StageOptions } from './stage.js';

/** How long and how hard: the same outages in a short and in a long form. */
export interface Measure {
  readonly requestsPerSecond: number;
  /** Requests that end well before the outage, and after it. */
  readonly around: number;
  /** Requests that end well between two outages of the same kind. */
  readonly between: number;
  /** What the budget allows in retries however few calls there are. */
  readonly retriesPerSecond: number;
  /** An outage that every request can outlast. */
  readonly outageMs: number;
  /** The deadline of a request that cannot, in an outage twice as long. */
  readonly shortDeadlineMs: number;
  /** How often an outage of a moment is repeated. */
  readonly repetitions: number;
  /** The longest from the server being back to the first request that ends well, in 95 % of the repetitions. */
  readonly firstSuccessMs: number;
  /** How much later than its deadline a request may be answered. */
  readonly graceMs: number;
}

/** The deadline of a request where the outage is to be outlasted. */
export const longDeadlineMs = 10_000;

export interface Outage {
  /** As in the table. */
  readonly name: string;
  /** What it takes to happen. Default: one server. */
  readonly stage?: StageOptions;
  /**
   * How it shows that it happened: the service had to connect again; a request waited for as long as it lasted, or up to
   * the deadline; or `strike` or `expect` have seen to it.
   */
  readonly shows: 'connects again' | 'waits' | 'by itself';
  /** What a request may take. Default `longDeadlineMs`. */
  readonly deadlineMs?: (measure: Measure) => number;
  /** Default: `orders` and `sessions` in turn. */
  readonly ways?: readonly Way[];
  /** Requests that begin at the same moment. Default 1. */
  readonly together?: number;
  /** Default: those of the measure. */
  readonly requestsPerSecond?: number;
  /**
   * Breaks something and mends it. Resolves with when the server was back, each time, on `performance.now()`; with an
   * empty list when it was never away.
   */
  readonly strike: (stage: Stage, measure: Measure, stream: RequestStream) => Promise<readonly number[]>;
  /** What holds beyond the invariants. */
  readonly expect?: (account: Account, measure: Measure) => void;
}

/** Enough that requests seldom wait for each other's row. */
const products = 20;

export function deadlineOf(outage: Outage, measure: Measure): number {
  return outage.deadlineMs?.(measure) ?? longDeadlineMs;
}

/** Lets `outage` happen to a service under requests, and sees to it that everything an outage must not do was not done. */
export async function runOutage(stage: Stage, outage: Outage, measure: Measure): Promise<Account> {
  const deadlineMs = deadlineOf(outage, measure);
  await stage.serve({ deadlineMs, retriesPerSecond: measure.retriesPerSecond });
  const seen = await observe(stage, outage, measure, deadlineMs);
  const account = drawAccount(seen);
  const broken = Object.entries(brokenBy(seen, account));
  if (broken.length > 0) throw new Error(broken.map(([name, by]) => `Broken: ${name}: ${inspect(by)}`).join('\n'));
  outage.expect?.(account, measure);
  return account;
}

async function observe(stage: Stage, outage: Outage, measure: Measure, deadlineMs: number): Promise<Observations> {
  const before = await stage.rested();
  const ordersBefore = stage.ordersLeft ?? (await stage.countOrders());
  stage.ordersLeft = undefined;
  const startedAtMs = performance.now();
  const skus = await Promise.all(Array.from({ length: products }, () => stage.product()));
  using ledger = new Ledger(join(stage.directory, randomUUID()));
  const { hosts, service } = stage;
  const logBefore = hosts.log.length;
  const connectionsBefore = hosts.connections;
  const begun = hosts.recording();
  const stream = new RequestStream({
    url: service.url,
    ledger,
    skus,
    requestsPerSecond: outage.requestsPerSecond ?? measure.requestsPerSecond,
    ways: outage.ways ?? ['orders', 'sessions'],
    together: outage.together ?? 1,
    clientTimeoutMs: deadlineMs + 30_000,
  });
  let backAtMs: readonly number[];
  try {
    await stream.flows(measure.around);
    backAtMs = await outage.strike(stage, measure, stream);
    await stream.flows(measure.around);
  } finally {
    await stream.end();
  }
  const after = await stage.calm();
  const { keys, stocks } = await booksOf(stage, skus);
  stage.ordersLeft = await stage.countOrders();
  return {
    endings: stream.endings,
    ledger: ledger.compare(keys),
    stocks,
    ordersElsewhere: stage.ordersLeft - ordersBefore - keys.length,
    latestMs: deadlineMs + measure.graceMs,
    backAtMs,
    begun: begun(),
    connected: hosts.connections - connectionsBefore,
    sign: signOf(outage, Math.min(measure.outageMs, deadlineMs)),
    serverLog: hosts.log.slice(logBefore),
    serviceOutput: stage.newOutput(),
    isRunning: service.isRunning,
    before,
    after,
    elapsedMs: performance.now() - startedAtMs,
    retriesPerSecond: measure.retriesPerSecond,
  };
}

function signOf({ shows }: Outage, longestMs: number): Observations['sign'] {
  return { connected: shows === 'connects again' ? 1 : 0, longestMs: shows === 'waits' ? 0.9 * longestMs : 0 };
}

/** The keys of the orders that are stored, and what is left of the products. */
async function booksOf(stage: Stage, skus: readonly string[]): Promise<{ keys: string[]; stocks: Stock[] }> {
  const rows = await stage.server.query<{ sku: string; stock: number; quantities: readonly number[] }>(
    `select sku, stock, array(select quantity from order_lines where order_lines.sku = products.sku) as quantities
     from products where sku = any($1)`,
    [skus],
    databaseName,
  );
  const stocks = skus.map(sku => {
    const row = rows.find(each => each.sku === sku);
    const sold = (row?.quantities ?? []).reduce((sum, quantity) => sum + quantity, 0);
    return { sku, before: initialStock, left: row?.stock ?? Number.NaN, sold };
  });
  return { keys: rows.flatMap(({ quantities }) => quantities.map(String)), stocks };
}

/** When the server has answered a new connection. */
export async function answersAgain({ server }: Stage): Promise<number> {
  await eventually(() => server.query('select 1'), { that: 'the server to accept connections', timeoutMs: 30_000 });
  return performance.now();
}
