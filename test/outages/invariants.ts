import type { Account, Observations } from './account.js';
import type { Ending } from './request-stream.js';

/** What speaks against an invariant: nothing, when it holds. */
type Violations = readonly unknown[];
type Invariant = (seen: Observations, account: Account) => Violations;

/** After a collection it is 4 MB at most; 100 KB kept of each request would be 15. */
const mostHeapGrowthMb = 12;
/** From the server being back to the first request that ends well, however many wait. */
const firstSuccessWithinMs = 10_000;

/** What no outage may do. Each is judged from what callers, servers and the process were seen to do. */
export const invariants = {
  'no acknowledged write is lost': ({ ledger }) => ledger.lost,

  'no write is stored twice': ({ ledger }) => ledger.duplicated,

  'no stored write is reported as not stored': ({ ledger, endings }) =>
    ledger.refusedButStored.map(key => endings.find(({ quantity }) => String(quantity) === key) ?? key),

  'only requested writes are stored': ({ ledger, ordersElsewhere }) => [
    ...ledger.unknown,
    ...only(ordersElsewhere !== 0, `${ordersElsewhere} orders that are no part of this`),
  ],

  'stock and orders match': ({ stocks }) => stocks.filter(({ before, left, sold }) => left !== before - sold),

  'every request gets an answer': ({ endings }) => endings.filter(({ status }) => status === undefined),

  'a 201 is for the write of the same client': ({ endings }) =>
    endings.filter(({ status, told, quantity }) => status === 201 && told !== quantity),

  'no request waits past its deadline': ({ endings, latestMs }) =>
    endings.filter(({ beganAtMs, endedAtMs }) => endedAtMs - beganAtMs > latestMs),

  'a refusal that the client did not cause has Retry-After': ({ endings }) =>
    endings.filter(ending => ending.status !== undefined && ending.status !== 201 && !isHelpful(ending)),

  'retries stay within the budget': (_seen, { retries, retriesAllowed }) =>
    only(retries > retriesAllowed, `${retries} retries of ${retriesAllowed}`),

  'retries on the wire stay within the budget': (_seen, account) => {
    const { begun, attemptsPermitted, requests, retriesAllowed, conflicts } = account;
    const most = Math.min(attemptsPermitted, requests + retriesAllowed + conflicts);
    return only(begun > most, `${begun} transactions begun, where ${most} may be`);
  },

  'no transaction starts inside another': ({ serverLog }) =>
    serverLog.match(/^.*transaction (is )?(already )?in progress.*$/gm) ?? [],

  'memory has not grown': (_seen, { heapGrowthMb }) => only(heapGrowthMb > mostHeapGrowthMb, `${heapGrowthMb} MB more`),

  'the same process still runs': ({ before, after, isRunning }) =>
    only(!isRunning || before.pid !== after.pid, { isRunning, before: before.pid, after: after.pid }),

  'no error is uncaught': ({ serviceOutput }) => serviceOutput.match(uncaught) ?? [],

  'the first request succeeds within 10 s': (_seen, { firstSuccessMs = 0 }) =>
    only(!(firstSuccessMs < firstSuccessWithinMs), `${firstSuccessMs} ms`),

  'the outage had an effect': ({ sign }, { connected, longestMs }) =>
    only(connected < sign.connected || longestMs < sign.longestMs, { connected, longestMs, atLeast: sign }),
} as const satisfies Record<string, Invariant>;

export type InvariantName = keyof typeof invariants;

/** The invariants that do not hold, each with the first of what speaks against it. */
export function brokenBy(seen: Observations, account: Account): Partial<Record<InvariantName, Violations>> {
  const judged = Object.entries<Invariant>(invariants).map(
    ([name, violations]) => [name, violations(seen, account).slice(0, 5)] as const,
  );
  return Object.fromEntries(judged.filter(([, violations]) => violations.length > 0));
}

/** Also what Node says of promises and listeners that somebody forgot. */
const uncaught = /^.*(nothing caught|unhandled|uncaught|MaxListenersExceeded|PromiseRejectionHandled).*$/gim;

/** A client whose write may be stored hears when to look, not when to try again. */
function isHelpful({ status, code, waitSeconds }: Ending): boolean {
  if (code === 'DATABASE_AMBIGUOUS_COMMIT') return status === 503 && waitSeconds === undefined;
  return (
    (status === 503 || status === 409) && waitSeconds !== undefined && Number.isInteger(waitSeconds) && waitSeconds > 0
  );
}

function only(isBroken: boolean, violation: unknown): Violations {
  return isBroken ? [violation] : [];
}
