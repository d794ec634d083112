import type { HealthCheck, HealthResult } from '@keelson/core';
import type { DatabaseDriver, PoolStats } from './driver/driver.js';
import { faultFacts } from './errors/connection-error.js';
import type { ListeningStats } from './listening/listen-options.js';
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

/** Without its listening connection a service still works, only later: a warning. */
export function withListening(result: HealthResult, listening: ListeningStats | undefined): HealthResult {
  if (listening === undefined || listening.state === 'closed') return result;
  const { state, since, channels, queued } = listening;
  const facts = { ...result.facts, listening: { state, since, channels, queued } };
  if (state === 'listening' || result.status !== 'pass') return { ...result, facts };
  return { status: 'warn', output: `No messages have been received since ${since.toISOString()}.`, facts };
}

/** Whether callers wait for a connection, again and again: the service is slow, and ready. Sends nothing. */
export function poolCheck(name: string, stats: () => PoolStats): HealthCheck {
  return {
    name,
    critical: false,
    intervalMs: 1_000,
    failureThreshold: 3,
    successThreshold: 3,
    check: async () => {
      const { total, idle, busy, waiting, max } = stats();
      const facts = { total, idle, busy, waiting, max };
      if (waiting === 0 || busy < max) return { status: 'pass', facts };
      const callers = waiting === 1 ? '1 caller waits' : `${waiting} callers wait`;
      return { status: 'fail', output: `All ${max} connections are busy, and ${callers}.`, facts };
    },
  };
}

function factsOf(driver: DatabaseDriver, state: DatabaseState) {
  const hosts = driver.hosts?.();
  return { state: state.is, pool: driver.stats(), ...(hosts !== undefined && { hosts }) };
}
