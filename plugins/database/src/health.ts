import type { HealthResult } from '@keelson/core';
import type { DatabaseDriver } from './driver/driver.js';
import { faultFacts } from './errors/connection-error.js';
import type { DatabaseState } from './state.js';

/** The primary has answered; a replica that cannot be read from is a warning. */
export function answered(driver: DatabaseDriver, state: DatabaseState, latencyMs: number): HealthResult {
  const facts = { ...factsOf(driver, state), latencyMs };
  const unfit = facts.hosts?.filter(host => host.state === 'lagging' || host.state === 'away') ?? [];
  if (unfit.length === 0) return { status: 'pass', facts };
  const output = `Reads go to other servers: ${unfit.map(host => `${host.host} is ${host.state}`).join(', ')}.`;
  return { status: 'warn', output, facts };
}

export function unanswered(driver: DatabaseDriver, state: DatabaseState, error: unknown): HealthResult {
  const facts = { ...factsOf(driver, state), ...faultFacts(error) };
  return { status: 'fail', output: 'The database did not answer.', facts };
}

function factsOf(driver: DatabaseDriver, state: DatabaseState) {
  const hosts = driver.hosts?.();
  return { state: state.is, pool: driver.stats(), ...(hosts !== undefined && { hosts }) };
}
