import type { LedgerReport } from '@keelson/test-support/ledger';
import type { Ending, Way } from './request-stream.js';
import { budgetWindowMs } from './stage.js';
import type { Vitals } from './vitals.js';

/** What is known after one outage. */
export interface Observations {
  readonly endings: readonly Ending[];
  readonly ledger: LedgerReport;
  /** Of the products that were ordered. */
  readonly stocks: readonly Stock[];
  /** Orders of other products that are new since the outage before; 0 when that is not known. */
  readonly ordersElsewhere: number;
  /** How long a request may take to be answered. */
  readonly latestMs: number;
  /** When the server accepted connections again, each time, on `performance.now()`. */
  readonly backAtMs: readonly number[];
  /** Transactions that the service began, counted on the wire. */
  readonly begun: number;
  /** Connections that the service opened. */
  readonly connected: number;
  /** What there must be of the outage, or it did not take place. */
  readonly sign: { readonly connected: number; readonly longestMs: number };
  /** What the servers have logged meanwhile. */
  readonly serverLog: string;
  /** What the service has printed since the outage before. */
  readonly serviceOutput: string;
  readonly isRunning: boolean;
  readonly before: Vitals;
  readonly after: Vitals;
  readonly elapsedMs: number;
  /** Of the budget, however few calls there are. */
  readonly retriesPerSecond: number;
}

export interface Stock {
  readonly sku: string;
  readonly before: number;
  readonly left: number;
  /** By the orders that are stored. */
  readonly sold: number;
}

/** Requests that ended alike. */
export interface Refusals {
  readonly way: Way;
  readonly status: number;
  readonly code: string;
  readonly count: number;
  /** The longest that was asked of a client; undefined without `Retry-After`. */
  readonly waitSeconds: number | undefined;
}

export interface Account {
  readonly requests: number;
  readonly acknowledged: number;
  readonly refused: readonly Refusals[];
  readonly lost: number;
  readonly duplicated: number;
  /** The client got no answer, and it is stored. */
  readonly unconfirmed: number;
  readonly longestMs: number;
  /** From the server being back to the first request that ended well; of many outages the 95th percentile. */
  readonly firstSuccessMs: number | undefined;
  readonly attemptsPerRequest: number;
  /** Paid for from the budget. */
  readonly retries: number;
  /** Attempts that ended in a conflict; repeating them costs no budget. */
  readonly conflicts: number;
  /** The most that the budget allows. */
  readonly retriesAllowed: number;
  /** What the retry policy says it let through. */
  readonly attemptsPermitted: number;
  readonly begun: number;
  /** Connections that the service opened. */
  readonly connected: number;
  readonly heapGrowthMb: number;
}

/** Of the budget, for each call: the default of the retry policy. A request is one call. */
const retriesPerRequest = 0.2;

export function drawAccount(seen: Observations): Account {
  const { endings, ledger, before, after } = seen;
  const seconds = (seen.elapsedMs + budgetWindowMs) / 1_000;
  return {
    requests: endings.length,
    acknowledged: endings.filter(({ status }) => status === 201).length,
    refused: refusalsOf(endings),
    lost: ledger.lost.length,
    duplicated: ledger.duplicated.length,
    unconfirmed: ledger.unacknowledgedButStored.length,
    longestMs: Math.max(0, ...endings.map(({ beganAtMs, endedAtMs }) => endedAtMs - beganAtMs)),
    firstSuccessMs: percentile(
      seen.backAtMs.map(backAtMs => firstSuccessMs(endings, backAtMs)),
      0.95,
    ),
    attemptsPerRequest: seen.begun / endings.length,
    retries: after.retries - before.retries,
    conflicts: after.conflicts - before.conflicts,
    retriesAllowed: retriesPerRequest * endings.length + seen.retriesPerSecond * seconds,
    attemptsPermitted: after.attempts - before.attempts,
    begun: seen.begun,
    connected: seen.connected,
    heapGrowthMb: after.heapMb - before.heapMb,
  };
}

/** How many were refused; of one way, when it is given. */
export function countRefused({ refused }: Account, way?: Way): number {
  return refused.filter(each => way === undefined || each.way === way).reduce((sum, { count }) => sum + count, 0);
}

/** Of those that can be run again as a whole. */
export function refusedUnits({ refused }: Account): readonly Refusals[] {
  return refused.filter(({ way }) => way !== 'sessions');
}

function refusalsOf(endings: readonly Ending[]): Refusals[] {
  const groups = new Map<string, Refusals>();
  for (const { way, status, code = '', waitSeconds } of endings) {
    if (status === undefined || status === 201) continue;
    const key = `${way} ${status} ${code}`;
    const group = groups.get(key) ?? { way, status, code, count: 0, waitSeconds: undefined };
    const waits = [group.waitSeconds, waitSeconds].filter(wait => wait !== undefined);
    groups.set(key, {
      ...group,
      count: group.count + 1,
      waitSeconds: waits.length === 0 ? undefined : Math.max(...waits),
    });
  }
  return [...groups.values()];
}

function firstSuccessMs(endings: readonly Ending[], backAtMs: number): number {
  const successes = endings.filter(({ status, endedAtMs }) => status === 201 && endedAtMs >= backAtMs);
  return Math.min(...successes.map(({ endedAtMs }) => endedAtMs)) - backAtMs;
}

/** The smallest of `values` that `share` of them do not exceed. */
function percentile(values: readonly number[], share: number): number | undefined {
  return values.toSorted((one, other) => one - other)[Math.ceil(values.length * share) - 1];
}
