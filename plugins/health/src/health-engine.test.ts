import { type HealthCheck, type HealthResult, KeelsonError, silentTelemetry } from '@keelson/core';
import { FakeClock, RecordingLogger } from '@keelson/core/testing';
import { MovableLifecycle } from '@keelson/test-support/movable-lifecycle';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HealthEngine } from './health-engine.js';
import { type HealthOptions, healthOptions } from './options.js';

const pass: HealthResult = { status: 'pass' };
const fail: HealthResult = { status: 'fail', output: 'gone' };

let clock: FakeClock;
let lifecycle: MovableLifecycle;
let logger: RecordingLogger;
let engines: HealthEngine[];

beforeEach(() => {
  clock = new FakeClock();
  lifecycle = new MovableLifecycle();
  lifecycle.move('ready');
  logger = new RecordingLogger();
  engines = [];
});

afterEach(() => {
  for (const engine of engines) engine[Symbol.dispose]();
  expect(clock.pending).toBe(0);
  expect(lifecycle.listeners).toBe(0);
});

function engineWith(options: Partial<HealthOptions> = {}, telemetry = silentTelemetry): HealthEngine {
  const engine = new HealthEngine(healthOptions.parse(options), { clock, lifecycle, logger, telemetry });
  engines.push(engine);
  return engine;
}

/** A check that returns the given result, and counts calls. */
function scripted(name: string, more: Partial<HealthCheck> = {}) {
  const script = {
    name,
    result: pass as HealthResult | Error,
    looks: 0,
    ...more,
    check: async () => {
      script.looks++;
      if (script.result instanceof Error) throw script.result;
      return script.result;
    },
  };
  return script;
}

function readiness(engine: HealthEngine, name: string) {
  const report = engine.report('ready');
  return { overall: report.status, check: report.checks.find(check => check.name === name) };
}

describe('the lifecycle', () => {
  test('liveness passes in every phase and looks at no check', async () => {
    const engine = engineWith();
    engine.register(scripted('database', { result: fail } as Partial<HealthCheck>));
    for (const phase of ['starting', 'ready', 'stopping', 'stopped'] as const) {
      lifecycle.move(phase);
      expect(engine.report('live')).toEqual({ status: 'pass', checks: [] });
    }
  });

  test('the startup probe fails until the service has been ready, and passes ever after', () => {
    lifecycle = new MovableLifecycle();
    const engine = engineWith();
    expect(engine.report('startup').status).toBe('fail');
    lifecycle.move('ready');
    expect(engine.report('startup').status).toBe('pass');
    lifecycle.move('stopping');
    expect(engine.report('startup').status).toBe('pass');
  });

  test('the service is not ready while it starts and from the moment it stops, whatever its checks say', async () => {
    lifecycle = new MovableLifecycle();
    const engine = engineWith();
    engine.register(scripted('database'));
    await clock.advance(0);
    expect(readiness(engine, 'lifecycle')).toMatchObject({
      overall: 'fail',
      check: { status: 'fail', output: 'The service is starting.' },
    });
    lifecycle.move('ready');
    expect(readiness(engine, 'lifecycle')).toMatchObject({ overall: 'pass', check: { status: 'pass' } });
    lifecycle.move('stopping');
    expect(readiness(engine, 'lifecycle').overall).toBe('fail');
  });

  test('sampling ends when the stop begins, and what fails on the way out is not logged', async () => {
    const engine = engineWith();
    const database = scripted('database');
    engine.register(database);
    await clock.advance(0);
    lifecycle.move('stopping');
    expect(clock.pending).toBe(0);
    await clock.advance(60_000);
    expect(readiness(engine, 'database').check?.status).toBe('fail');
    expect(database.looks).toBe(1);
    expect(logger.lines()).toEqual([]);
  });
});

describe('sampling', () => {
  test('a report never runs a check', async () => {
    const engine = engineWith();
    const database = scripted('database');
    engine.register(database);
    await clock.advance(0);
    for (let probe = 0; probe < 100; probe++) engine.report('ready');
    expect(database.looks).toBe(1);
  });

  test('each check is looked at on its own interval', async () => {
    const engine = engineWith();
    const often = scripted('often', { intervalMs: 1_000 });
    const seldom = scripted('seldom', { intervalMs: 10_000 });
    engine.register(often);
    engine.register(seldom);
    await clock.advance(10_000);
    expect([often.looks, seldom.looks]).toEqual([11, 2]);
  });

  test('a check that has not been looked at is not ready', async () => {
    const engine = engineWith();
    const { promise, resolve } = Promise.withResolvers<HealthResult>();
    engine.register({ name: 'database', check: () => promise });
    expect(readiness(engine, 'database')).toEqual({
      overall: 'fail',
      check: { name: 'database', critical: true, status: 'fail', output: 'Not sampled yet.' },
    });
    resolve(pass);
    await clock.advance(0);
    expect(readiness(engine, 'database').overall).toBe('pass');
  });

  test('reports when it looked and how long it took', async () => {
    const engine = engineWith();
    engine.register({
      name: 'database',
      check: async () => {
        await clock.sleep(40);
        return { status: 'pass', facts: { total: 4 } };
      },
    });
    await clock.advance(40);
    expect(readiness(engine, 'database').check).toEqual({
      name: 'database',
      critical: true,
      status: 'pass',
      facts: { total: 4 },
      durationMs: 40,
      observedAt: new Date('2026-01-01T00:00:00.040Z'),
    });
  });

  test('a check that takes too long counts as failed and its signal aborts', async () => {
    const engine = engineWith();
    let reason: unknown;
    engine.register({
      name: 'database',
      timeoutMs: 500,
      check: signal =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason;
            reject(signal.reason);
          });
        }),
    });
    await clock.advance(499);
    expect(reason).toBeUndefined();
    await clock.advance(1);
    expect(reason).toMatchObject({ name: 'TimeoutError' });
    expect(readiness(engine, 'database').check).toMatchObject({
      status: 'fail',
      output: 'No answer within 500 ms.',
      durationMs: 500,
    });
  });

  test('a check that ignores its signal is not asked again before it has returned', async () => {
    const engine = engineWith();
    const gate = Promise.withResolvers<HealthResult>();
    let looks = 0;
    engine.register({
      name: 'database',
      intervalMs: 1_000,
      timeoutMs: 500,
      check: () => {
        looks++;
        return looks === 1 ? gate.promise : Promise.resolve(pass);
      },
    });
    await clock.advance(60_000);
    expect(looks).toBe(1);
    expect(readiness(engine, 'database').check?.status).toBe('fail');
    gate.resolve(pass);
    await clock.advance(0);
    expect(readiness(engine, 'database').check?.status, 'an answer after the timeout does not count').toBe('fail');
    await clock.advance(1_000);
    expect(looks).toBe(2);
    expect(readiness(engine, 'database').check?.status).toBe('pass');
  });

  test('a sample older than three intervals is stale, which is logged once', async () => {
    const engine = engineWith();
    engine.register(scripted('database', { intervalMs: 2_000, timeoutMs: 1_000 }));
    await clock.advance(0);
    // The timers of a process that was suspended fire late: the clock has moved, the sampler has not.
    const now = clock.now;
    clock.now = () => 6_000;
    expect(readiness(engine, 'database').check?.status).toBe('pass');
    clock.now = () => 6_001;
    expect(readiness(engine, 'database').check).toMatchObject({ status: 'fail', output: 'Not sampled for 6 s.' });
    readiness(engine, 'database');
    clock.now = now;
    await clock.advance(2_000);
    expect(readiness(engine, 'database').check?.status).toBe('pass');
    expect(logger.lines().map(line => line.message)).toEqual([
      'health check database fails',
      'health check database passes again',
    ]);
  });

  test('leaves no spans: every look happens inside Telemetry.suppress', async () => {
    let suppressed = false;
    const telemetry = {
      ...silentTelemetry,
      suppress<T>(work: () => T): T {
        suppressed = true;
        try {
          return work();
        } finally {
          suppressed = false;
        }
      },
    };
    const seen: boolean[] = [];
    engineWith({}, telemetry).register({
      name: 'database',
      check: async () => {
        seen.push(suppressed);
        return pass;
      },
    });
    await clock.advance(5_000);
    expect(seen).toEqual([true, true]);
  });

  test('disposing of a registration ends its sampling, aborts the look that runs, and frees the name', async () => {
    const engine = engineWith();
    let aborted = false;
    const registration = engine.register({
      name: 'database',
      check: signal =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            reject(signal.reason);
          });
        }),
    });
    registration[Symbol.dispose]();
    await clock.advance(0);
    expect(aborted).toBe(true);
    expect(clock.pending).toBe(0);
    expect(logger.lines(), 'the result of a removed check is not logged').toEqual([]);
    expect(engine.report('ready').checks.map(check => check.name)).toEqual(['lifecycle']);
    engine.register(scripted('database'));
    registration[Symbol.dispose]();
    expect(engine.report('ready').checks.map(check => check.name)).toEqual(['lifecycle', 'database']);
  });
});

describe('failures', () => {
  test('a sentence of ours is shown; the message of anyone else is kept for the log', async () => {
    const engine = engineWith();
    const ours = new KeelsonError({ code: 'DB_PING_TIMEOUT', message: 'The database did not answer a ping.' });
    const foreign = Object.assign(new Error('connect ECONNREFUSED postgres://app:secret@10.0.0.1'), {
      code: 'ECONNREFUSED',
    });
    engine.register(scripted('ours', { result: ours } as Partial<HealthCheck>));
    engine.register(scripted('foreign', { result: foreign } as Partial<HealthCheck>));
    await clock.advance(0);
    expect(readiness(engine, 'ours').check?.output).toBe('The database did not answer a ping.');
    expect(readiness(engine, 'foreign').check?.output).toBe('The check failed with Error (ECONNREFUSED).');
    expect(logger.lines().map(line => line.facts.error)).toEqual([ours, foreign]);
  });

  test('a check that throws at once, returns nothing or throws undefined has failed', async () => {
    const engine = engineWith();
    const broken: HealthCheck['check'][] = [
      () => {
        throw new TypeError('no promise here');
      },
      (async () => undefined) as unknown as HealthCheck['check'],
      () => Promise.reject(undefined),
    ];
    broken.forEach((check, index) => {
      engine.register({ name: `broken-${index}`, check });
    });
    await clock.advance(0);
    const outputs = engine
      .report('ready')
      .checks.slice(1)
      .map(check => [check.status, check.output]);
    expect(outputs).toEqual([
      ['fail', 'The check failed with TypeError.'],
      ['fail', 'The check returned no status.'],
      ['fail', 'The check failed.'],
    ]);
  });

  test('a change of state is logged once, with both states and the reason', async () => {
    const engine = engineWith();
    const database = scripted('database');
    engine.register(database);
    await clock.advance(20_000);
    expect(logger.lines()).toEqual([]);
    database.result = fail;
    await clock.advance(20_000);
    database.result = pass;
    await clock.advance(20_000);
    expect(logger.lines()).toMatchObject([
      {
        level: 'warn',
        message: 'health check database fails',
        facts: { check: 'database', critical: true, from: 'pass', to: 'fail', output: 'gone' },
      },
      {
        level: 'info',
        message: 'health check database passes again',
        facts: { check: 'database', critical: true, from: 'fail', to: 'pass' },
      },
    ]);
  });

  test('a check that is not critical makes the service ready with a warning', async () => {
    const engine = engineWith();
    engine.register(scripted('mail', { critical: false, result: fail } as Partial<HealthCheck>));
    await clock.advance(0);
    expect(readiness(engine, 'mail')).toMatchObject({ overall: 'warn', check: { status: 'fail', critical: false } });
  });

  test('failures below the threshold do not show', async () => {
    const engine = engineWith();
    const database = scripted('database', { intervalMs: 1_000, failureThreshold: 3 });
    engine.register(database);
    await clock.advance(0);
    database.result = fail;
    await clock.advance(2_000);
    expect(readiness(engine, 'database').overall).toBe('pass');
    await clock.advance(1_000);
    expect(readiness(engine, 'database').overall).toBe('fail');
  });
});

describe('the configuration', () => {
  test('overrides what a check was registered with', async () => {
    const engine = engineWith({ checks: { database: { critical: false, intervalMs: 30_000, successThreshold: 2 } } });
    const database = scripted('database', { intervalMs: 1_000, result: fail } as Partial<HealthCheck>);
    engine.register(database);
    await clock.advance(0);
    expect(readiness(engine, 'database').overall).toBe('warn');
    database.result = pass;
    await clock.advance(30_000);
    expect([database.looks, readiness(engine, 'database').overall]).toEqual([2, 'warn']);
    await clock.advance(30_000);
    expect(readiness(engine, 'database').overall).toBe('pass');
  });

  test('a disabled check is neither run nor reported', async () => {
    const engine = engineWith({ checks: { database: { enabled: false } } });
    const database = scripted('database');
    const registration = engine.register(database);
    await clock.advance(60_000);
    expect(database.looks).toBe(0);
    expect(engine.report('ready').checks.map(check => check.name)).toEqual(['lifecycle']);
    registration[Symbol.dispose]();
    expect(engine.unusedOverrides()).toEqual(['database']);
  });

  test('knows the overrides that no check has answered to', () => {
    const engine = engineWith({ checks: { databse: { critical: false }, mail: {} } });
    engine.register(scripted('mail'));
    expect(engine.unusedOverrides()).toEqual(['databse']);
  });

  test('refuses unknown keys and values out of range', () => {
    const result = healthOptions.safeParse({ checks: { database: { interval: 5, timeoutMs: 0 } }, detail: 'none' });
    expect(result.error?.issues.map(issue => [issue.code, issue.path.join('.')])).toEqual(
      expect.arrayContaining([
        ['unrecognized_keys', 'checks.database'],
        ['too_small', 'checks.database.timeoutMs'],
        ['unrecognized_keys', ''],
      ]),
    );
  });
});

describe('a registration', () => {
  test('with members of a wrong shape is refused, naming all of them: HEALTH_CHECK_INVALID', () => {
    const wrong = { name: 'My DB', intervalMs: 0, timeoutMs: Number.NaN, check: 'select 1' } as unknown as HealthCheck;
    expect(() => engineWith().register(wrong)).toThrow(
      expect.objectContaining({
        code: 'HEALTH_CHECK_INVALID',
        message: expect.stringMatching(/name may have only letters.*intervalMs.*timeoutMs.*check must be a function/),
      }),
    );
  });

  test('under a name that is taken is refused: HEALTH_CHECK_DUPLICATE', () => {
    const engine = engineWith({ checks: { off: { enabled: false } } });
    engine.register(scripted('database'));
    engine.register(scripted('off'));
    for (const name of ['database', 'off']) {
      expect(() => engine.register(scripted(name))).toThrow(
        expect.objectContaining({ code: 'HEALTH_CHECK_DUPLICATE' }),
      );
    }
    expect(() => engine.register(scripted('lifecycle'))).toThrow(
      expect.objectContaining({ code: 'HEALTH_CHECK_INVALID' }),
    );
  });

  test('keeps the check a method of its object', async () => {
    class Pool {
      readonly name = 'pool';
      readonly #result = pass;
      async check(): Promise<HealthResult> {
        return this.#result;
      }
    }
    const engine = engineWith();
    engine.register(new Pool());
    await clock.advance(0);
    expect(readiness(engine, 'pool').overall).toBe('pass');
  });
});
