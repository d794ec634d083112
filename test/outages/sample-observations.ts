import type { Observations } from './account.js';
import type { Ending } from './request-stream.js';
import type { Vitals } from './vitals.js';

const vitals: Vitals = {
  pid: 1,
  heapMb: 30,
  pool: { total: 2, idle: 2, busy: 0, waiting: 0 },
  breaker: 'closed',
  waitingCalls: 0,
  calls: 0,
  attempts: 0,
  retries: 0,
  conflicts: 0,
  budgetLeft: 30,
};

export function sampleVitals(given: Partial<Vitals> = {}): Vitals {
  return { ...vitals, ...given };
}

/** A request that was acknowledged after 10 ms. */
export function acknowledged(given: Partial<Ending> = {}): Ending {
  return {
    way: 'orders',
    quantity: 1,
    beganAtMs: 0,
    endedAtMs: 10,
    status: 201,
    code: undefined,
    waitSeconds: undefined,
    told: 1,
    ...given,
  };
}

export function refused(given: Partial<Ending> = {}): Ending {
  return acknowledged({ status: 503, code: 'DOWN', waitSeconds: 1, told: undefined, ...given });
}

/** Nothing that any invariant minds: one request each way, of which one was refused. */
export function sampleObservations(given: Partial<Observations> = {}): Observations {
  return {
    endings: [acknowledged(), refused({ way: 'sessions', quantity: 2 })],
    ledger: {
      attempted: 2,
      acknowledged: 1,
      lost: [],
      duplicated: [],
      refusedButStored: [],
      unacknowledgedButStored: [],
      unknown: [],
    },
    stocks: [{ sku: 'mug', before: 100, left: 99, sold: 1 }],
    ordersElsewhere: 0,
    latestMs: 1_000,
    backAtMs: [],
    begun: 2,
    connected: 0,
    sign: { connected: 0, longestMs: 0 },
    serverLog: '',
    serviceOutput: '',
    isRunning: true,
    before: sampleVitals(),
    after: sampleVitals({ attempts: 2 }),
    elapsedMs: 0,
    retriesPerSecond: 3,
    ...given,
  };
}
