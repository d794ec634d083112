import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Attempt, Deadline, systemClock } from '@keelson/core';
import { CockatielRetryPolicy } from '@keelson/retry-cockatiel';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import {
  circuitBreaker,
  ExponentialBackoff,
  handleAll,
  retry,
  SamplingBreaker,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel';
import Opossum from 'opossum';
import { describe, expect, test } from 'vitest';
import { reportFigure } from './micro-report.js';
import { type SideBySide, sideBySide } from './side-by-side.js';

const options = { name: 'database.session', idempotent: true };
const work = async () => 1;

describe('a call that succeeds', () => {
  test('costs at most 3 times opossum alone with its timeout', async () => {
    const opossum = new Opossum(work, { timeout: 10_000, rollingPercentilesEnabled: false, enableSnapshots: false });
    const policy = new OpossumRetryPolicy();
    const { signal } = new AbortController();
    const readsSignal = async (attempt: Attempt) => attempt.signal;
    const costs = await sideBySide({
      'opossum alone with its timeout': () => opossum.fire(),
      'deadline, retry, breaker, attempt timeout': () => policy.execute(work, options),
      'the same, and the work reads its signal': () => policy.execute(readsSignal, options),
      'the same, and the caller brings a deadline and a signal': () =>
        policy.execute(readsSignal, { ...options, deadline: Deadline.after(10_000, systemClock), signal }),
    });
    opossum.shutdown();
    policy.stop();
    report('a policy call', costs);
    expect(costs[1]?.ratio).toBeLessThanOrEqual(3);
  });

  test("costs at most 0.25 times cockatiel's equivalent wrap", async () => {
    const equivalent = wrap(
      timeout(30_000, TimeoutStrategy.Aggressive),
      retry(handleAll, { maxAttempts: 7, backoff: new ExponentialBackoff({ initialDelay: 25, maxDelay: 2_000 }) }),
      circuitBreaker(handleAll, {
        halfOpenAfter: 200,
        breaker: new SamplingBreaker({ threshold: 0.5, duration: 1_000, minimumRps: 5 }),
      }),
      timeout(10_000, TimeoutStrategy.Aggressive),
    );
    const onOpossum = new OpossumRetryPolicy();
    const onCockatiel = new CockatielRetryPolicy();
    const costs = await sideBySide({
      "cockatiel's timeout, retry, breaker, timeout": () => equivalent.execute(work),
      'the same layers in @keelson/retry-opossum': () => onOpossum.execute(work, options),
      'the same layers in @keelson/retry-cockatiel': () => onCockatiel.execute(work, options),
    });
    onOpossum.stop();
    onCockatiel.stop();
    report("a policy call beside cockatiel's", costs);
    expect(costs[1]?.ratio).toBeLessThanOrEqual(0.25);
    expect(costs[2]?.ratio).toBeLessThanOrEqual(0.25);
  });
});

describe('a target that is down', () => {
  test('the CPU of a refusal', async () => {
    const policy = new OpossumRetryPolicy({ options: { policies: { default: { whenOpen: 'refuse' } } } });
    policy.hold('database', 'open');
    const refusals = 20_000;
    const refuse = () => policy.execute(work, options).catch(() => {});
    for (let count = 0; count < refusals; count++) await refuse();
    const before = process.cpuUsage();
    for (let count = 0; count < refusals; count++) await refuse();
    const { user, system } = process.cpuUsage(before);
    reportFigure({ name: 'a policy call that is refused, CPU', value: (user + system) / refusals, unit: 'us' });
  });

  test('10,000 waiting calls cost at most 20 MB and two timers', async () => {
    const breaker = { minimumCalls: 1, breakMs: 60_000, maxBreakMs: 60_000 };
    const policy = new OpossumRetryPolicy({ options: { policies: { default: { breaker } } } });
    await policy.execute(() => Promise.reject(new Error('down')), { ...options, idempotent: false }).catch(() => {});
    const controllers = Array.from({ length: 10_000 }, () => new AbortController());
    const timersBefore = timers();
    const before = heapUsed();
    const waiting = controllers.map(({ signal }) => {
      const deadline = Deadline.after(120_000 + Math.random(), systemClock);
      return policy.execute(work, { ...options, deadline, signal }).catch(() => {});
    });
    await Promise.resolve();
    const costMb = (heapUsed() - before) / 1e6;
    console.log(`10,000 waiting calls: ${costMb.toFixed(1)} MB, ${timers() - timersBefore} timers`);
    expect(policy.describe()[0]?.waiting).toBe(10_000);
    expect(timers() - timersBefore).toBeLessThanOrEqual(2);
    expect(costMb).toBeLessThanOrEqual(20);
    policy.stop();
    await Promise.all(waiting);
  });
});

function report(what: string, costs: readonly SideBySide[]): void {
  for (const { name, us, ratio } of costs) {
    reportFigure({ name: `${what}: ${name}`, value: us, unit: 'us' });
    console.log(`  ${ratio.toFixed(2)} x the first`);
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
