import { Deadline, type ExecuteOptions, type RetryPolicy, singleAttempt } from '@keelson/core';
import { FakeClock, retryPolicyConformance } from '@keelson/core/testing';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { FaultInjector } from './fault-injector.js';
import { InjectedFault } from './injected-fault.js';
import { type FaultRule, faultsOptionsSchema } from './options.js';

const call: ExecuteOptions = { name: 'database.session', idempotent: true };
const always = { target: 'database', kind: 'refusal', probability: 1 };
let clock: FakeClock;
let injected: string[];

beforeEach(() => {
  clock = new FakeClock();
  injected = [];
});

function inject(...rules: object[]): RetryPolicy {
  const parsed = faultsOptionsSchema.parse({ rules }).rules;
  const injector = new FaultInjector(parsed, clock);
  injector.arm(rule => injected.push(rule.kind));
  return injector.decorate(singleAttempt(clock));
}

/** How each of `count` calls ended: the kind of its fault, or nothing. */
async function strikes(policy: RetryPolicy, count: number, options = call): Promise<(string | undefined)[]> {
  const ends: (string | undefined)[] = [];
  for (let index = 0; index < count; index++) {
    const end = await policy.execute(async () => undefined, options).catch((error: unknown) => error);
    ends.push(end instanceof InjectedFault ? String(end.facts.kind) : undefined);
  }
  return ends;
}

describe('a decorated policy, with rules for other targets, keeps the promises of a policy', () => {
  const cases = retryPolicyConformance(() => {
    const own = new FakeClock();
    const rules = faultsOptionsSchema.parse({ rules: [{ ...always, target: 'elsewhere' }] }).rules;
    const injector = new FaultInjector(rules, own);
    injector.arm(() => expect.unreachable());
    return { policy: injector.decorate(singleAttempt(own)), clock: own, maxAttempts: 1 };
  });
  test.each(cases)('$name', async ({ run }) => void (await run()));
});

describe('a decorated policy, with rules that never strike, does too', () => {
  const cases = retryPolicyConformance(() => {
    const own = new FakeClock();
    const rules = faultsOptionsSchema.parse({ rules: [{ ...always, target: 'conformance', probability: 0 }] }).rules;
    const injector = new FaultInjector(rules, own);
    injector.arm(() => expect.unreachable());
    return { policy: injector.decorate(singleAttempt(own)), clock: own, maxAttempts: 1 };
  });
  test.each(cases)('$name', async ({ run }) => void (await run()));
});

test.each([
  ['its target', { ...call, target: 'database/reports' }, 'database/reports'],
  ['the beginning of its name', { ...call, target: 'api.example.com' }, 'database'],
  ['its name', call, 'database.session'],
])('a rule matches a call by %s', async (_what, options, target) => {
  expect(await strikes(inject({ ...always, target }), 1, options)).toEqual(['refusal']);
  expect(await strikes(inject({ ...always, target: 'data' }), 1, options)).toEqual([undefined]);
});

test.each([
  ['error', { code: '57P01' }, '57P01', 'down'],
  ['error', {}, 'ECONNRESET', 'down'],
  ['refusal', {}, 'ECONNREFUSED', 'down'],
  ['pool-exhaustion', {}, 'ETIMEDOUT', 'unknown'],
])(
  '%s %o: the work does not run, and the error names the simulated failure',
  async (kind, more, code, availability) => {
    const ended = inject({ ...always, kind, ...more }).execute(() => expect.unreachable(), call);
    await expect(ended).rejects.toMatchObject({
      name: 'InjectedFault',
      code: 'FAULT_INJECTED',
      facts: { target: 'database', kind, code },
      cause: { code },
      http: { status: 503 },
      verdict: { retry: true, availability },
    });
    expect(injected).toEqual([kind]);
  },
);

test('latency: the work starts later, and its result is unchanged', async () => {
  const policy = inject({ ...always, kind: 'latency', latencyMs: 300 });
  const running = policy.execute(async () => clock.now(), call);
  await clock.advance(300);
  expect(await running).toBe(300);
});

test('several rules strike one attempt in their order, up to the first that ends it', async () => {
  const latency = { ...always, kind: 'latency', latencyMs: 300 };
  const never = { ...always, kind: 'error', probability: 0 };
  const ended = strikes(inject(latency, never, latency, always, latency), 1);
  await clock.advance(600);
  expect(await ended).toEqual(['refusal']);
  expect([injected, clock.now()]).toEqual([['latency', 'latency', 'refusal'], 600]);
});

test('a delayed attempt ends when its caller aborts or its time is over', async () => {
  const policy = inject({ ...always, kind: 'pool-exhaustion', latencyMs: 60_000 });
  const controller = new AbortController();
  const given = policy.execute(async () => {}, { ...call, signal: controller.signal });
  const late = policy.execute(async () => {}, { ...call, deadline: Deadline.after(500, clock) });
  const ends = Promise.allSettled([given, late]);
  controller.abort(new Error('gone'));
  await clock.advance(500);
  expect(await ends).toMatchObject([{ reason: { message: 'gone' } }, { reason: { code: 'RETRY_DEADLINE_EXCEEDED' } }]);
  expect(clock.pending).toBe(0);
});

describe('the verdict', () => {
  const seen: unknown[] = [];
  /** Asks for the verdict on whatever the work throws. */
  const judging: RetryPolicy = {
    execute: (work, options) =>
      singleAttempt(clock)
        .execute(work, options)
        .catch(error => {
          seen.push(options.classify?.(error));
          throw error;
        }),
  };
  const decorated = (rule: object) => {
    const injector = new FaultInjector(faultsOptionsSchema.parse({ rules: [rule] }).rules, clock);
    injector.arm(() => {});
    return injector.decorate(judging);
  };
  const strict: ExecuteOptions = { ...call, classify: () => ({ retry: false, availability: 'up' }) };

  beforeEach(() => void seen.splice(0));

  test('on a fault is its own, not that of the caller', async () => {
    await decorated(always)
      .execute(async () => {}, strict)
      .catch(() => {});
    expect(seen).toEqual([{ retry: true, availability: 'down' }]);
  });

  test('on any other failure is that of the caller, or the usual one', async () => {
    const fail = () => Promise.reject(new Error('real'));
    const policy = decorated({ ...always, probability: 0 });
    await policy.execute(fail, strict).catch(() => {});
    await policy.execute(fail, call).catch(() => {});
    expect(seen).toEqual([
      { retry: false, availability: 'up' },
      { retry: true, availability: 'down' },
    ]);
  });
});

describe('which attempts are struck', () => {
  const rule = fc.record({
    target: fc.constantFrom('database', 'database.session'),
    kind: fc.constantFrom<FaultRule['kind']>('error', 'refusal', 'pool-exhaustion'),
    probability: fc.double({ min: 0, max: 1, noNaN: true }),
    seed: fc.integer(),
  });

  test('depends on the seeds alone', () =>
    fc.assert(
      fc.asyncProperty(fc.array(rule, { minLength: 1, maxLength: 3 }), async rules => {
        expect(await strikes(inject(...rules), 40)).toEqual(await strikes(inject(...rules), 40));
      }),
    ));

  test('does not depend on other rules, nor on calls to other targets', () =>
    fc.assert(
      fc.asyncProperty(rule, rule, async (one, other) => {
        const alone = await strikes(inject(one), 40);
        const policy = inject(one, other, { ...always, target: 'mail' });
        const among: (string | undefined)[] = [];
        for (let index = 0; index < 40; index++) {
          await strikes(policy, 1, { name: 'mail.send', idempotent: true });
          among.push(...(await strikes(policy, 1)));
        }
        expect(alone.filter((kind, index) => kind !== undefined && among[index] !== kind)).toEqual([]);
      }),
    ));

  test('is about the share that the probability says; none for 0, all for 1', async () => {
    const share = async (probability: number) =>
      (await strikes(inject({ ...always, probability }), 2_000)).filter(kind => kind !== undefined).length / 2_000;
    expect(await share(0)).toBe(0);
    expect(await share(1)).toBe(1);
    expect(await share(0.3)).toBeCloseTo(0.3, 1);
  });
});

test('a disarmed injector injects nothing and passes the same call on', async () => {
  const passed: unknown[] = [];
  const inner: RetryPolicy = {
    execute: (work, options) => {
      passed.push(work, options);
      return singleAttempt(clock).execute(work, options);
    },
  };
  const injector = new FaultInjector(faultsOptionsSchema.parse({ rules: [always] }).rules, clock);
  const policy = injector.decorate(inner);
  const work = async () => 'done';
  expect(await policy.execute(work, call)).toBe('done');
  injector.arm(() => {});
  await expect(policy.execute(work, call)).rejects.toThrow('A fault was injected');
  injector.disarm();
  expect(await policy.execute(work, call)).toBe('done');
  expect([passed[0], passed[1], passed[4], passed[5]]).toEqual([work, call, work, call]);
});

test.each([
  [{ kind: 'latency', probability: 1, target: 'database' }, 'latencyMs'],
  [{ kind: 'refusal', probability: 1, target: 'database', code: 'X' }, 'code'],
  [{ kind: 'refusal', probability: 2, target: 'database' }, 'probability'],
  [{ kind: 'refusal', target: 'database' }, 'probability'],
])('%o is not a rule: %s', (rule, path) => {
  const { error } = faultsOptionsSchema.safeParse({ rules: [rule] });
  expect(error?.issues.map(issue => issue.path)).toEqual([['rules', 0, path]]);
});
