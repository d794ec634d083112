import { FakeClock, RecordingLogger } from '@keelson/core/testing';
import { beforeEach, expect, test } from 'vitest';
import type { DuePayment } from './due-payments.js';
import { PaymentJob } from './payment-job.js';

/** The rows of the database, and the payment service, in the hands of a test; time too. */
let rows: { payment: DuePayment; at: Date }[];
let settled: string[];
let asked: string[];
let answer: () => Promise<'paid' | 'declined'>;
let clock: FakeClock;
let job: PaymentJob;

beforeEach(() => {
  [rows, settled, asked] = [[], [], []];
  answer = async () => 'paid';
  clock = new FakeClock();
  job = new PaymentJob({
    due: {
      take: async (now, leaseEnd) => {
        const taken = rows.filter(({ at }) => at <= now);
        for (const row of taken) {
          row.payment = { ...row.payment, attempt: row.payment.attempt + 1 };
          row.at = leaseEnd;
        }
        return taken.map(({ payment }) => payment);
      },
      settle: async (orderId, status) => {
        rows = rows.filter(({ payment }) => payment.orderId !== orderId);
        settled.push(`${orderId} ${status}`);
      },
      stillUnknown: async ids => ids.filter(id => rows.some(({ payment }) => payment.orderId === id)),
      postpone: async (orderId, at) => {
        for (const row of rows) if (row.payment.orderId === orderId) row.at = at;
      },
    },
    payments: {
      charge: ({ orderId }) => {
        asked.push(orderId);
        return answer();
      },
    },
    clock,
    logger: new RecordingLogger(),
    currency: 'EUR',
    everyMs: 1_000,
    leaseMs: 60_000,
    random: () => 0.5,
  });
});

function place(orderId: string, amountCents = 100): void {
  rows.push({ payment: { orderId, amountCents, attempt: 0 }, at: clock.date() });
}

test('a payment is settled at once when the job is woken, and later ones when it looks again', async () => {
  job.start();
  await clock.advance(0);
  place('a');
  job.wake();
  await clock.advance(0);
  expect(settled).toEqual(['a paid']);
  place('b');
  await clock.advance(1_000);
  expect(settled).toEqual(['a paid', 'b paid']);
});

test('a payment without an answer is a warning, and asked for again with growing pauses', async () => {
  answer = () => Promise.reject(new Error('no answer'));
  place('a');
  job.start();
  await clock.advance(0);
  expect(job.health()).toMatchObject({ status: 'warn', facts: { unanswered: 1 } });
  await clock.advance(60_000);
  expect(job.health()).toMatchObject({ status: 'warn', facts: { unanswered: 1 } });
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.length).toBeLessThan(10);
  answer = async () => 'declined';
  await clock.advance(60_000);
  expect(settled).toEqual(['a declined']);
  await clock.advance(1_000);
  expect(job.health()).toEqual({ status: 'pass' });
});

test('a payment that another instance has settled is no warning any more', async () => {
  answer = () => Promise.reject(new Error('no answer'));
  place('a');
  job.start();
  await clock.advance(0);
  rows = [];
  await clock.advance(2_000);
  expect([asked.length, job.health()]).toEqual([1, { status: 'pass' }]);
});

test('an order of nothing is paid without a charge', async () => {
  place('a', 0);
  job.start();
  await clock.advance(0);
  expect([asked, settled]).toEqual([[], ['a paid']]);
});

test('a stop waits for the payment that is asked for, and leaves no timer', async () => {
  const answered = Promise.withResolvers<'paid'>();
  answer = () => answered.promise;
  place('a');
  job.start();
  await clock.advance(0);
  const stopping = job.stop(new AbortController().signal);
  answered.resolve('paid');
  await stopping;
  expect(settled).toEqual(['a paid']);
  expect(clock.pending).toBe(0);
});
