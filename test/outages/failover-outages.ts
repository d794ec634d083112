import { expect } from 'vitest';
import { countRefused, refusedUnits } from './account.js';
import type { Outage } from './outage.js';
import { poolMax } from './stage.js';

export const failoverOutages: readonly Outage[] = [
  {
    name: 'failover: the primary is killed, the standby promoted',
    stage: { standby: true },
    shows: 'connects anew',
    async strike({ hosts }) {
      await hosts.failOver();
      return [performance.now()];
    },
    expect(account) {
      expect(countRefused(account), 'requests refused').toBeLessThanOrEqual(poolMax);
      // What a commit has come to that only the dead primary knew of, and perhaps the standby, nobody can tell.
      const codes = refusedUnits(account).map(({ code }) => code);
      expect(new Set([...codes, 'DATABASE_AMBIGUOUS_COMMIT'])).toEqual(new Set(['DATABASE_AMBIGUOUS_COMMIT']));
    },
  },
];
