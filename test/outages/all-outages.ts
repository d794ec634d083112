import { failoverOutages } from './failover-outages.js';
import { networkOutages } from './network-outages.js';
import type { Outage } from './outage.js';
import { serverOutages } from './server-outages.js';
import { serverRefusals } from './server-refusals.js';

export const allOutages: readonly Outage[] = [
  ...serverOutages,
  ...failoverOutages,
  ...networkOutages,
  ...serverRefusals,
];
