import { expectOnlyThoseInDoubt } from './expectations.js';
import type { Outage } from './outage.js';

export const failoverOutages: readonly Outage[] = [
  {
    name: 'failover: the primary is killed, the standby promoted',
    stage: { standby: true },
    shows: 'connects again',
    async strike({ hosts }) {
      await hosts.failOver();
      return [performance.now()];
    },
    expect: expectOnlyThoseInDoubt,
  },
];
