import { expect } from 'vitest';
import { type Account, countRefused, refusedUnits } from './account.js';
import { commitProof } from './proof.js';
import { poolMax } from './stage.js';

/** A session in the middle of its transaction may be refused; a unit is run again, and who came after waited. */
export function expectOnlyThoseUnderWay(account: Account): void {
  expect(countRefused(account, 'sessions'), 'sessions refused').toBeLessThanOrEqual(poolMax);
  expect(refusedUnits(account)).toEqual([]);
}

/**
 * As above, but for commits that only the server knew of that has crashed: what it says of them afterwards cannot be
 * believed (docs/adr/0002), and so their callers get the answer that it is not known. A token is believed (docs/adr/0029).
 */
export function expectOnlyThoseInDoubt(account: Account): void {
  if (commitProof() === 'token') {
    expect(account.refused.filter(({ code }) => code === 'DATABASE_AMBIGUOUS_COMMIT')).toEqual([]);
    expectOnlyThoseUnderWay(account);
    return;
  }
  expect(countRefused(account), 'requests refused').toBeLessThanOrEqual(poolMax);
  const codes = refusedUnits(account).map(({ code }) => code);
  expect(new Set([...codes, 'DATABASE_AMBIGUOUS_COMMIT'])).toEqual(new Set(['DATABASE_AMBIGUOUS_COMMIT']));
}
