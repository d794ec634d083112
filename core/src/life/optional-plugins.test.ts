import { describe, expect, test } from 'vitest';
import type { Plugin } from '../contract/plugin.js';
import { type HealthCheck, HealthService, silentHealthService } from '../contract/slots/health.js';
import { type ServiceToken, serviceToken } from '../contract/token.js';
import { FakeClock } from '../testing/fake-clock.js';
import { Kernel } from './kernel.js';
import { formatStartReport } from './report.js';

const Mail: ServiceToken<object> = serviceToken('test/Mail');
const optional = { optional: true };

/** A health service that lists its checks. */
function health(checks: Set<HealthCheck>): Plugin {
  const service: HealthService = {
    ...silentHealthService,
    register: check => {
      checks.add(check);
      return { [Symbol.dispose]: () => checks.delete(check) };
    },
  };
  return {
    name: 'health',
    slot: 'health',
    provides: [HealthService],
    register: ({ bind }) => void bind(HealthService).toConstantValue(service),
  };
}

describe('an optional plugin that does not start', () => {
  test('leaves the service ready, warns in its readiness, and is started again in the background', async () => {
    const clock = new FakeClock();
    const checks = new Set<HealthCheck>();
    const log: string[] = [];
    let attempts = 0;
    const mail: Plugin = {
      name: 'mail',
      provides: [Mail],
      register: ({ bind }) => void bind(Mail).toConstantValue({}),
      start: ({ defer }) => {
        log.push('start');
        defer(() => void log.push('stop'));
        if (++attempts < 3) throw new Error('smtp:25 refuses connections');
        return { ready: () => void log.push('ready') };
      },
    };
    const kernel = await Kernel.start({
      config: { plugins: { mail: optional } },
      variables: {},
      clock,
      random: () => 1,
      plugins: { mail, health: health(checks) },
    });
    expect(kernel.lifecycle.phase).toBe('ready');
    expect(formatStartReport(kernel.report)).toContain(' ms  failed: smtp:25 refuses connections  (optional');
    expect(kernel.container.isBound(Mail)).toBe(false);
    const [check] = checks;
    expect(check).toMatchObject({ name: 'plugin-mail', critical: false });
    expect(await check?.check(AbortSignal.abort())).toEqual({
      status: 'warn',
      output: 'mail does not run: smtp:25 refuses connections',
    });

    await clock.advance(1_000);
    expect(log).toEqual(['start', 'stop', 'start', 'stop']);
    await clock.advance(1_999);
    expect(log.slice(4)).toEqual([]);
    await clock.advance(1);
    expect(log.slice(4)).toEqual(['start', 'ready']);
    expect(checks.size).toBe(0);
    expect(kernel.container.get(Mail)).toEqual({});
    await kernel.stop();
    expect(log.at(-1)).toBe('stop');
    expect(clock.pending).toBe(0);
  });

  test('keeps only optional ones from starting, which follow when it is there', async () => {
    const clock = new FakeClock();
    const log: string[] = [];
    let up = false;
    const mail: Plugin = {
      name: 'mail',
      provides: [Mail],
      register: ({ bind }) => void bind(Mail).toConstantValue({}),
      start: () => {
        if (!up) throw new Error('down');
      },
    };
    const news: Plugin = { name: 'news', requires: [Mail], start: () => void log.push('news') };
    const kernel = await Kernel.start({
      config: { plugins: { mail: optional, news: optional } },
      variables: {},
      clock,
      random: () => 1,
      plugins: { mail, news },
    });
    expect(kernel.report.plugins.find(plugin => plugin.key === 'news')).toMatchObject({
      outcome: 'not-tried',
      missed: ['mail'],
    });
    up = true;
    await clock.advance(3_000);
    expect(log).toEqual(['news']);
    await kernel.stop();
  });

  test('is not tried any more once the stop has begun', async () => {
    const clock = new FakeClock();
    let attempts = 0;
    const mail: Plugin = {
      name: 'mail',
      start: () => {
        attempts++;
        throw new Error('down');
      },
    };
    const kernel = await Kernel.start({
      config: { plugins: { mail: optional } },
      variables: {},
      clock,
      plugins: { mail },
    });
    const report = await kernel.stop();
    await clock.advance(600_000);
    expect(attempts).toBe(1);
    expect(report.outcome).toBe('clean');
  });
});

test('a slow start is reported ever less often, with the plugins and what they wait for', async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const done = Promise.withResolvers<void>();
  const started = Kernel.start({
    config: {},
    variables: {},
    clock,
    onSlowStart: message => told.push(message),
    plugins: {
      mail: {
        name: 'mail',
        provides: [Mail],
        register: ({ bind }) => void bind(Mail).toConstantValue({}),
        start: ({ waitingFor }) => {
          waitingFor('an answer of smtp:25');
          return done.promise;
        },
      },
      news: { name: 'news', requires: [Mail] },
    },
  });
  await clock.advance(15_000);
  done.resolve();
  const kernel = await started;
  expect(told).toEqual([
    'Still starting after 5 s: mail (waits for an answer of smtp:25). Then: news (needs mail).',
    'Still starting after 15 s: mail (waits for an answer of smtp:25). Then: news (needs mail).',
  ]);
  await kernel.stop();
  expect(clock.pending).toBe(0);
});

test('a start in which a hook waits too long says what for', async () => {
  const clock = new FakeClock();
  const started = Kernel.start({
    config: {},
    variables: {},
    clock,
    plugins: {
      mail: {
        name: 'mail',
        startTimeoutMs: 100,
        start: ({ waitingFor }) => {
          waitingFor('smtp:25');
          return new Promise(() => {});
        },
      },
    },
  });
  const outcome = expect(started).rejects.toMatchObject({ cause: { facts: { waitsFor: 'smtp:25' } } });
  await clock.advance(1_000);
  await outcome;
});
