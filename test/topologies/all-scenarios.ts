import { oneAddressScenarios } from './one-address-scenarios.js';
import { patroniScenarios } from './patroni-scenarios.js';
import { pgbouncerScenarios } from './pgbouncer-scenarios.js';
import type { Scenario } from './topology.js';

/** In the order of the table. */
export const allScenarios: readonly Scenario[] = [...pgbouncerScenarios, ...oneAddressScenarios, ...patroniScenarios];
