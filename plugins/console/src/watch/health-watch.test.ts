import type { CheckReport, HealthCheck, HealthReport, HealthService } from '@keelson/core';
import { eventually } from '@keelson/test-support/eventually';
import { expect, test } from 'vitest';
import { HealthWatch } from './health-watch.js';

/** Samples when the test asks for it. */
class Engine implements HealthService {
  readonly checks = new Map<string, { check: HealthCheck; report: CheckReport }>();

  register(check: HealthCheck): Disposable {
    this.checks.set(check.name, {
      check,
      report: { name: check.name, critical: check.critical ?? true, status: 'fail' },
    });
    return { [Symbol.dispose]: () => void this.checks.delete(check.name) };
  }

  report(): HealthReport {
    const checks = [...this.checks.values()].map(({ report }) => report);
    return { status: checks.every(({ status }) => status === 'pass') ? 'pass' : 'fail', checks };
  }

  async sample(): Promise<void> {
    for (const [name, { check, report }] of this.checks) {
      const result = await check
        .check(AbortSignal.timeout(1_000))
        .catch(() => ({ status: 'fail' as const, output: 'It threw.' }));
      const { name: own, critical } = report;
      this.checks.set(name, { check, report: { name: own, critical, observedAt: new Date(), ...result } });
    }
  }
}

test('notes each change of a check when the service has sampled it, and who is not ready', async () => {
  let at = 1_000;
  const failing: string[][] = [];
  const watch = new HealthWatch({
    now: () => at,
    mask: text => text.replace('hunter2', '[masked]'),
    onReadiness: checks => failing.push(checks.map(({ name }) => name)),
  });
  const engine = new Engine();
  const service = watch.watch(engine);
  let isWell = true;
  class Check implements HealthCheck {
    readonly name = 'database';
    async check() {
      if (isWell) return { status: 'pass' as const };
      throw new Error('down');
    }
  }
  service.register(new Check());
  service.register({
    name: 'mail',
    critical: false,
    check: async () => ({ status: 'warn', output: 'password hunter2' }),
  });

  await engine.sample();
  await eventually(() => expect(watch.changes()).toHaveLength(1));
  expect(watch.changes()).toEqual([
    { at: 1_000, check: 'mail', critical: false, from: 'new', to: 'warn', output: 'password [masked]' },
  ]);
  at = 2_000;
  isWell = false;
  await engine.sample();
  await eventually(() => expect(watch.changes()).toHaveLength(2));
  expect(watch.changes()[0]).toEqual({
    at: 2_000,
    check: 'database',
    critical: true,
    from: 'pass',
    to: 'fail',
    output: 'It threw.',
  });
  isWell = true;
  await engine.sample();
  await eventually(() => expect(watch.changes()).toHaveLength(3));
  expect(failing).toEqual([['database'], []]);

  const before = watch.revision;
  await engine.sample();
  expect(watch.revision).toBe(before);
});

test('a check of a wrong shape reaches the service as it is, which says what is wrong', () => {
  const watch = new HealthWatch({ now: () => 0, mask: String, onReadiness: () => {} });
  const engine = new Engine();
  const wrong = { name: 'wrong' } as unknown as HealthCheck;
  watch.watch(engine).register(wrong);
  expect(engine.checks.get('wrong')?.check).toBe(wrong);
});
