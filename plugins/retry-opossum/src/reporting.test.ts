import { type ExecuteOptions, KeelsonError, silentMetrics } from '@keelson/core';
import { FakeClock, RecordingLogger, RecordingMetrics, RecordingTelemetry } from '@keelson/core/testing';
import { beforeEach, expect, test } from 'vitest';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';
import { breakerCheck, breakerStatesOf, logChanges, measure, noteMoves } from './reporting.js';

const call: ExecuteOptions = { name: 'database.session', idempotent: true };
const refused = new KeelsonError({ code: 'DB_REFUSED', message: 'connection refused' });
let clock: FakeClock;
let policy: OpossumRetryPolicy;

beforeEach(() => {
  clock = new FakeClock();
  policy = new OpossumRetryPolicy({ clock, random: () => 0 });
});

const fail = () => Promise.reject(refused);

/** Fails until the breaker opens, waits for the end of the break, and succeeds until it closes. */
async function outage(): Promise<void> {
  const options = { ...call, idempotent: false };
  for (let failure = 0; failure < 5; failure++) await policy.execute(fail, options).catch(() => {});
  await clock.advance(100);
  await policy.execute(fail, options).catch(() => {});
  await clock.advance(100);
  for (let success = 0; success < 2; success++) await policy.execute(async () => {}, options);
}

test('logs an outage as one warning and its end as one line, and probes at debug', async () => {
  const logger = new RecordingLogger();
  policy.observe(logChanges(logger));
  await outage();
  expect(logger.lines().map(line => [line.level, line.facts.to])).toEqual([
    ['warn', 'open'],
    ['debug', 'half-open'],
    ['debug', 'open'],
    ['debug', 'half-open'],
    ['info', 'closed'],
  ]);
  expect(logger.lines('warn')[0]).toMatchObject({
    message: 'the breaker of "database" is open',
    facts: { target: 'database', from: 'closed', breakMs: 100, error: refused },
  });
});

test('keeps an outage and its end as breadcrumbs, and no probe', async () => {
  const telemetry = new RecordingTelemetry();
  policy.observe(noteMoves(telemetry));
  await outage();
  expect(telemetry.breadcrumbs('retry.breaker')).toMatchObject([
    { message: 'the breaker of "database" is open', level: 'warn', processWide: true, facts: { cause: 'DB_REFUSED' } },
    { message: 'the breaker of "database" is closed', level: 'info' },
  ]);
  expect(telemetry.breadcrumbs()).toHaveLength(2);
  expect(breakerStatesOf(policy)).toEqual({ database: 'closed' });
});

test('logs what differs when the options change, and nothing when they do not', () => {
  const logger = new RecordingLogger();
  policy.observe(logChanges(logger));
  policy.reconfigure({ policies: { default: {} } });
  policy.reconfigure({ policies: { default: { maxAttempts: 2 } } });
  policy.reconfigure({ policies: { default: { maxAttempts: 2 } } });
  const changes = [{ path: 'policies.default.maxAttempts', from: 8, to: 2 }];
  expect(logger.lines()).toMatchObject([{ level: 'info', facts: { changes } }]);
});

test('shows the state of each breaker as one series for each state', async () => {
  const metrics = new RecordingMetrics();
  using _measured = measure(metrics, policy);
  await policy.execute(async () => {}, call);
  const states = () =>
    metrics.series('resilience.circuit_breaker.state').map(({ value, labels }) => [labels?.state, value]);
  expect(states()).toEqual([
    ['closed', 1],
    ['open', 0],
    ['half-open', 0],
    ['held-open', 0],
    ['held-closed', 0],
  ]);
  policy.hold('database', 'open');
  expect(Object.fromEntries(states())).toMatchObject({ closed: 0, 'held-open': 1 });
});

test('counts retries, conflicts, give-ups by code, and moves', async () => {
  const metrics = new RecordingMetrics();
  policy.observe(measure(metrics, policy)?.observer ?? {});
  const running = policy.execute(fail, { ...call, classify: () => ({ retry: true, availability: 'unknown' }) });
  const ended = running.catch(error => error.code);
  await clock.advance(60_000);
  expect(await ended).toBe('RETRY_ATTEMPTS_EXHAUSTED');
  expect(metrics.value('resilience.retries', { target: 'database', reason: 'DB_REFUSED' })).toBe(7);
  expect(metrics.value('resilience.retried_calls', { outcome: 'failure' })).toBe(1);
  expect(metrics.value('resilience.attempts', { target: 'database' })).toBe(8);
  expect(metrics.value('resilience.calls', { target: 'database' })).toBe(1);
  expect(metrics.value('resilience.give_ups', { code: 'RETRY_ATTEMPTS_EXHAUSTED' })).toBe(1);
  const conflict = { retry: true, availability: 'up', conflict: true } as const;
  let calls = 0;
  const conflicting = policy.execute(() => (++calls < 4 ? fail() : Promise.resolve()), {
    ...call,
    classify: () => conflict,
  });
  await clock.advance(60_000);
  await conflicting;
  expect(metrics.value('resilience.conflicts', { target: 'database' })).toBe(3);
  expect(metrics.value('resilience.retried_calls', { outcome: 'success' })).toBe(1);
  expect(metrics.value('resilience.retries', { target: 'database' })).toBe(7);
  await outage();
  expect(metrics.value('resilience.circuit_breaker.moves', { state: 'open' })).toBe(2);
});

test('is not observed where nothing is measured', () => {
  expect(measure(silentMetrics, policy)).toBeUndefined();
});

test('an observer that throws does not change how a call ends', async () => {
  policy.observe({
    breakerMoved: () => expect.unreachable(),
    retried: () => expect.unreachable(),
    gaveUp: () => expect.unreachable(),
  });
  await outage();
  expect(await policy.execute(async () => 'done', call)).toBe('done');
});

test('the health check warns while a breaker is not closed, and says which and since when', async () => {
  const check = breakerCheck(policy, 'retry');
  const signal = AbortSignal.timeout(10_000);
  expect(check.critical).toBe(false);
  expect(await check.check(signal)).toEqual({ status: 'pass' });
  for (let failure = 0; failure < 5; failure++)
    await policy.execute(fail, { ...call, idempotent: false }).catch(() => {});
  await clock.advance(50);
  expect(await check.check(signal)).toEqual({
    status: 'warn',
    output: 'Not closed: the breaker of "database"',
    facts: { database: { state: 'open', sinceMs: 50, waiting: 0, cause: 'DB_REFUSED' } },
  });
});
