import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import type { CheckReport, HealthCheck, HealthReport, HealthResult, HealthService } from '../contract/slots/health.js';
import type { FakeClock } from './fake-clock.js';

/** A health service of a service that is ready, for one case. */
export interface HealthHarness {
  /** Lives on `clock` alone. */
  readonly health: HealthService;
  readonly clock: FakeClock;
  /** What a stop of the service does to it. */
  stop(): Promise<void>;
  close?(): void | Promise<void>;
}

/** What every health service must do, ours or another's. */
export function healthConformance(createHarness: () => HealthHarness | Promise<HealthHarness>): ConformanceCase[] {
  const promise = casesOf(createHarness);

  return [
    promise('passes without any check', async ({ health }) => {
      for (const kind of ['live', 'ready', 'startup'] as const) equal(health.report(kind).status, 'pass', kind);
    }),
    promise('is not ready before each critical check has reported once', async ({ health }) => {
      health.register({ name: 'slow', check: () => new Promise(() => {}) });
      equal(health.report('ready').status, 'fail');
    }),
    promise('runs its checks by itself, and reports status, sentence, facts and time', async ({ health, clock }) => {
      const result: HealthResult = { status: 'warn', output: 'Nearly full.', facts: { used: 9 } };
      health.register({ name: 'disk', check: async () => result });
      await clock.advance(10);
      const { status, output, facts, observedAt, critical } = found(health.report('ready'), 'disk');
      deepEqual({ status, output, facts, critical }, { ...result, critical: true });
      ok(observedAt instanceof Date);
    }),
    promise('runs a check again after its interval, and not before', async ({ health, clock }) => {
      const counting = countingCheck({ intervalMs: 1_000 });
      health.register(counting.check);
      await clock.advance(500);
      equal(counting.looks, 1);
      await clock.advance(5_000);
      ok(counting.looks >= 4 && counting.looks <= 7, `looked ${counting.looks} times in 5.5 s at an interval of 1 s`);
    }),
    promise('never runs a check for a probe: it returns the last known status', async ({ health, clock }) => {
      const counting = countingCheck();
      health.register(counting.check);
      await clock.advance(10);
      const before = counting.looks;
      for (let count = 0; count < 100; count += 1) health.report('ready');
      equal(counting.looks, before);
    }),
    promise('fails readiness for a critical check, and warns for a non-critical one', async ({ health, clock }) => {
      const failing = async (): Promise<HealthResult> => ({ status: 'fail', output: 'Down.' });
      const optional = health.register({ name: 'mail', critical: false, check: failing });
      await clock.advance(10);
      equal(health.report('ready').status, 'warn');
      health.register({ name: 'database', check: failing });
      await clock.advance(10);
      equal(health.report('ready').status, 'fail');
      optional[Symbol.dispose]();
    }),
    promise('passes liveness even when a critical check fails', async ({ health, clock }) => {
      health.register({ name: 'database', check: async () => ({ status: 'fail', output: 'Down.' }) });
      await clock.advance(10);
      equal(health.report('live').status, 'pass');
    }),
    promise('takes a check that throws or rejects as one that fails', async ({ health, clock }) => {
      health.register({ name: 'rejects', check: () => Promise.reject(new Error('no answer')) });
      health.register({
        name: 'throws',
        check: () => {
          throw new Error('at once');
        },
      });
      await clock.advance(10);
      for (const name of ['rejects', 'throws']) equal(found(health.report('ready'), name).status, 'fail', name);
    }),
    promise(
      'counts a check that hangs as failed after its time limit, and aborts its signal',
      async ({ health, clock }) => {
        let aborted = false;
        const check = (signal: AbortSignal) => {
          signal.addEventListener('abort', () => {
            aborted = true;
          });
          return new Promise<HealthResult>(() => {});
        };
        health.register({ name: 'hangs', timeoutMs: 500, check });
        await clock.advance(600);
        equal(aborted, true);
        equal(found(health.report('ready'), 'hangs').status, 'fail');
      },
    ),
    promise('changes a status only after its threshold of results in a row', async ({ health, clock }) => {
      let status: HealthResult['status'] = 'pass';
      const check = async (): Promise<HealthResult> => ({ status });
      const shown = () => found(health.report('ready'), 'flaps').status;
      health.register({ name: 'flaps', intervalMs: 1_000, failureThreshold: 3, successThreshold: 2, check });
      await clock.advance(10);
      equal(shown(), 'pass');
      status = 'fail';
      await clock.advance(1_500);
      equal(shown(), 'pass', 'one or two failures are too few');
      await clock.advance(4_000);
      equal(shown(), 'fail');
      status = 'pass';
      await clock.advance(5_000);
      equal(shown(), 'pass');
    }),
    promise('forgets a check that is disposed of, whose name is free again', async ({ health, clock }) => {
      const down: HealthCheck = { name: 'queue', check: async () => ({ status: 'fail', output: 'Down.' }) };
      const registered = health.register(down);
      await clock.advance(10);
      registered[Symbol.dispose]();
      registered[Symbol.dispose]();
      equal(health.report('ready').status, 'pass');
      health.register(passing('queue'));
      await clock.advance(10);
      equal(health.report('ready').status, 'pass');
    }),
    promise(
      'calls a check again only when it has returned, also one that ignores its signal',
      async ({ health, clock }) => {
        let looks = 0;
        const check = () => {
          looks += 1;
          return new Promise<HealthResult>(() => {});
        };
        health.register({ name: 'hangs', intervalMs: 500, timeoutMs: 500, check });
        await clock.advance(30_000);
        equal(looks, 1);
      },
    ),
    promise('does not report a status as current after a long time without a sample', async ({ health, clock }) => {
      let hangs = false;
      const check = (): Promise<HealthResult> => (hangs ? new Promise(() => {}) : Promise.resolve({ status: 'pass' }));
      health.register({ name: 'database', intervalMs: 1_000, timeoutMs: 1_000, failureThreshold: 100, check });
      await clock.advance(10);
      equal(found(health.report('ready'), 'database').status, 'pass');
      hangs = true;
      await clock.advance(60_000);
      equal(found(health.report('ready'), 'database').status, 'fail');
    }),
    promise('is ready, and degraded, when a critical check warns', async ({ health, clock }) => {
      health.register({ name: 'disk', check: async () => ({ status: 'warn', output: 'Nearly full.' }) });
      await clock.advance(10);
      equal(health.report('ready').status, 'warn');
    }),
    promise('goes on with the other checks while one hangs or fails', async ({ health, clock }) => {
      const counting = countingCheck({ intervalMs: 1_000 });
      health.register({ name: 'hangs', check: () => new Promise(() => {}) });
      health.register({ name: 'fails', check: () => Promise.reject(new Error('down')) });
      health.register(counting.check);
      await clock.advance(5_500);
      ok(counting.looks >= 4, `looked ${counting.looks} times in 5.5 s at an interval of 1 s`);
    }),
    promise('does not report the message of an error that is not a KeelsonError', async ({ health, clock }) => {
      const secret = () => Promise.reject(new Error('connect postgres://orders:hush@db'));
      health.register({ name: 'secretive', check: secret });
      await clock.advance(10);
      ok(!JSON.stringify(health.report('ready')).includes('hush'));
    }),
    promise('reports no checks for a group that is not configured', async ({ health, clock }) => {
      health.register({ name: 'database', check: async () => ({ status: 'fail', output: 'Down.' }) });
      await clock.advance(10);
      equal(
        health.report('ready', 'no-such-group').checks.some(({ name }) => name === 'database'),
        false,
      );
    }),
    promise('refuses two checks of one name', async ({ health }) => {
      health.register(passing('database'));
      throws(() => health.register(passing('database')));
    }),
    promise('runs no check once the service has stopped', async ({ health, clock, stop }) => {
      const counting = countingCheck({ intervalMs: 100 });
      health.register(counting.check);
      await clock.advance(50);
      await stop();
      const before = counting.looks;
      await clock.advance(10_000);
      equal(counting.looks, before);
    }),
  ];
}

function passing(name: string, more: Partial<HealthCheck> = {}): HealthCheck {
  return { name, check: async () => ({ status: 'pass' }), ...more };
}

/** A check that passes, and how often it was asked. */
function countingCheck(more: Partial<HealthCheck> = {}) {
  const counting = {
    looks: 0,
    check: passing('count', {
      ...more,
      check: async () => {
        counting.looks += 1;
        return { status: 'pass' };
      },
    }),
  };
  return counting;
}

function found({ checks }: HealthReport, name: string): CheckReport {
  const check = checks.find(each => each.name === name);
  ok(check !== undefined, `the report has the check ${name}`);
  return check;
}
