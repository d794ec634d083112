import { Deadline, type ExecuteOptions } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { beforeEach, expect, test } from 'vitest';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';

const call: ExecuteOptions = { name: 'database.session', idempotent: true };
let clock: FakeClock;
let policy: OpossumRetryPolicy;
let running: number;
let most: number;

beforeEach(() => {
  clock = new FakeClock();
  running = most = 0;
  policy = build(2, 3);
});

function build(maxConcurrentCalls: number, maxQueuedCalls: number): OpossumRetryPolicy {
  const bulkhead = { maxConcurrentCalls, maxQueuedCalls };
  const options = { policies: { default: { bulkhead, breaker: { minimumCalls: 1 } } } };
  return new OpossumRetryPolicy({ options, clock, random: () => 0 });
}

async function work(): Promise<string> {
  most = Math.max(most, ++running);
  await clock.sleep(100);
  running--;
  return 'done';
}

test('runs no more calls at once than it may, and queues the others', async () => {
  const calls = Array.from({ length: 5 }, () => policy.execute(work, call));
  expect(policy.describe()[0]).toMatchObject({ running: 2, queued: 3 });
  await clock.advance(1_000);
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 5 }, () => 'done'));
  expect(most).toBe(2);
  expect(policy.describe()[0]).toMatchObject({ running: 0, queued: 0 });
});

test('BULKHEAD_FULL for a call too many, which does not count against the target', async () => {
  const calls = Array.from({ length: 5 }, () => policy.execute(work, call));
  const refusal = { code: 'BULKHEAD_FULL', facts: { maxConcurrentCalls: 2, maxQueuedCalls: 3 }, http: { status: 503 } };
  await expect(policy.execute(work, call)).rejects.toMatchObject(refusal);
  expect(policy.describe()[0]?.breaker.state).toBe('closed');
  await clock.advance(1_000);
  await Promise.all(calls);
});

test('a call does not queue past its deadline, nor after its caller has given up', async () => {
  const calls = [policy.execute(work, call), policy.execute(work, call)];
  const late = policy.execute(work, { ...call, deadline: Deadline.after(50, clock) }).catch(error => error);
  const gone = policy.execute(work, { ...call, signal: AbortSignal.timeout(0) }).catch(error => error);
  expect(await gone).toMatchObject({ name: 'TimeoutError' });
  await clock.advance(60);
  expect(await late).toMatchObject({ code: 'RETRY_DEADLINE_EXCEEDED', facts: { attempts: 0 } });
  await clock.advance(100);
  await Promise.all(calls);
  expect(clock.pending).toBe(0);
});

test('a refusal of an inner policy says nothing of the outer target', async () => {
  const inner = build(1, 0);
  const busy = inner.execute(work, call);
  const outer = build(0, 0);
  const nested = outer.execute(() => inner.execute(work, call), { ...call, name: 'orders.place' });
  await expect(nested).rejects.toMatchObject({ code: 'BULKHEAD_FULL' });
  expect(outer.describe()[0]?.breaker.state).toBe('closed');
  await clock.advance(100);
  await busy;
});

test('given more places while running, it lets in those that queue', async () => {
  const calls = Array.from({ length: 5 }, () => policy.execute(work, call));
  policy.reconfigure({ policies: { default: { bulkhead: { maxConcurrentCalls: 4 } } } });
  expect(policy.describe()[0]).toMatchObject({ running: 4, queued: 1 });
  await clock.advance(1_000);
  await Promise.all(calls);
  expect(policy.describe()[0]).toMatchObject({ running: 0, queued: 0 });
});
