import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'vitest';
import { eventually } from '../support/eventually.js';
import { Ledger } from '../support/ledger.js';
import { type Account, drawAccount, type Observations } from './account.js';
import { RequestStream, type Way } from './request-stream.js';
import { databaseName, initialStock, type Stage } from './stage.js';

/** How long and how hard: the same outages in a short and in a long form. */
export interface Measure {
  readonly requestsPerSecond: number;
  /** Requests that end well before the outage, and after it. */
  readonly around: number;
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

/** How long the session of a request waits for a server that was told to end its statement: the default. */
const cancelGraceMs = 2_000;
const mostHeapGrowthMb = 40;
/** Enough that requests seldom wait for each other's row. */
const products = 20;

/** Lets `outage` happen to a service under requests, and sees to it that everything an outage must not do was not done. */
export async function rehearse(stage: Stage, outage: Outage, measure: Measure): Promise<Account> {
  const deadlineMs = outage.deadlineMs?.(measure) ?? longDeadlineMs;
  await stage.serve({ deadlineMs, retriesPerSecond: measure.retriesPerSecond });
  const { account, seen } = await observe(stage, outage, measure, deadlineMs);
  expect(seen.ledger, 'what was told and what is stored').toMatchObject({
    lost: [],
    duplicated: [],
    refusedButStored: [],
    unknown: [],
  });
  const latestMs = deadlineMs + measure.graceMs;
  expect(account.longestUnitMs, 'the longest unit, in ms').toBeLessThan(latestMs);
  expect(account.longestMs, 'the longest request, in ms').toBeLessThan(latestMs + cancelGraceMs);
  expect(account.firstSuccessMs ?? 0, 'the first success, in ms').toBeLessThan(longDeadlineMs);
  expect(account.retries, 'retries').toBeLessThanOrEqual(account.retriesAllowed);
  expect(account.begun, 'transactions begun').toBeLessThanOrEqual(account.attemptsPermitted);
  expect(account.heapGrowthMb, 'what is left in memory, in MB').toBeLessThan(mostHeapGrowthMb);
  expect(account.cut, 'connections to the service that failed').toBe(0);
  expect(stage.service.isRunning, 'the service runs').toBe(true);
  expect(seen.after.pid, 'the process').toBe(stage.service.pid);
  expect(stage.service.stderr + stage.service.stdout).not.toMatch(/nothing caught|unhandled/i);
  expect(stage.server.log(), 'one transaction inside another').not.toMatch(/transaction (is )?(already )?in progress/);
  for (const { status, code, waitSeconds } of account.refused) expectHelpful(status, code, waitSeconds);
  outage.expect?.(account, measure);
  return account;
}

/** Who is refused without being at fault is told when to come back; but nobody whose write may be stored. */
function expectHelpful(status: number, code: string, waitSeconds: number | undefined): void {
  const told = { status, code, waits: waitSeconds !== undefined };
  if (code === 'DATABASE_AMBIGUOUS_COMMIT') expect(told).toEqual({ status: 503, code, waits: false });
  else expect(told).toEqual({ status: expect.toBeOneOf([503, 409]), code, waits: true });
}

async function observe(stage: Stage, outage: Outage, measure: Measure, deadlineMs: number) {
  const before = await stage.rested();
  const startedAtMs = performance.now();
  const skus = await Promise.all(Array.from({ length: products }, () => stage.product()));
  using ledger = new Ledger(join(stage.directory, randomUUID()));
  const recording = stage.proxy.recording();
  const stream = new RequestStream({
    url: stage.service.url,
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
  const begun = recording.trips.filter(({ statements }) => statements.some(sql => /^begin/i.test(sql))).length;
  const after = await stage.calm();
  const stored = await storedBy(stage, skus);
  const seen: Observations = {
    endings: stream.endings,
    ledger: ledger.compare(stored),
    backAtMs,
    begun,
    before,
    after,
    elapsedMs: performance.now() - startedAtMs,
    retriesPerSecond: measure.retriesPerSecond,
  };
  return { account: drawAccount(seen), seen };
}

/** The keys of what is stored; together with what is left of the stock it must make up what there was. */
async function storedBy(stage: Stage, skus: readonly string[]): Promise<string[]> {
  const rows = await stage.server.query<{ stock: number; quantities: readonly number[] }>(
    `select stock, array(select quantity from orders where orders.sku = products.sku) as quantities
     from products where sku = any($1)`,
    [skus],
    databaseName,
  );
  for (const { stock, quantities } of rows) {
    const sold = quantities.reduce((sum, quantity) => sum + quantity, 0);
    expect(stock, 'what is left of the stock').toBe(initialStock - sold);
  }
  return rows.flatMap(({ quantities }) => quantities.map(String));
}

/** When the server has answered a new connection. */
export async function answersAgain({ server }: Stage): Promise<number> {
  await eventually(() => server.query('select 1'), { that: 'the server to accept connections', timeoutMs: 30_000 });
  return performance.now();
}
