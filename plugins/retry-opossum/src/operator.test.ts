import { KeelsonError, RetryPolicy } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { expect, test } from 'vitest';
import plugin from './index.js';

const call = { name: 'mail.send', idempotent: false };
const refused = new KeelsonError({ code: 'MAIL_REFUSED', message: 'No answer.\nThe second line.' });
const fail = () => Promise.reject(refused);

async function service() {
  const values = { retry: { targets: { reports: 'default' } } };
  const kernel = await createTestKernel({ plugins: [plugin], values });
  const policy = kernel.container.get(RetryPolicy);
  const retry = async () => {
    const { plugins } = await kernel.kernel.status();
    const { facts, findings, operations } = plugins.find(({ key }) => key === 'retry') ?? { findings: [] };
    // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of the facts
    return { targets: (facts as any).targets, findings, operations };
  };
  return { kernel, policy, retry };
}

test('an operator sees each target, its breaker, since when it is not closed, and why', async () => {
  const { kernel, policy, retry } = await service();
  expect((await retry()).findings).toEqual([{ name: 'breakers', status: 'pass', output: 'No target is known yet.' }]);
  await policy.execute(async () => 'done', call);
  const calm = await retry();
  expect(calm.targets.mail).toMatchObject({ policy: 'default', breaker: { state: 'closed' }, counters: { calls: 1 } });
  expect(calm.findings).toEqual([{ name: 'breakers', status: 'pass', output: 'Closed, for all known targets: 1.' }]);

  while ((await retry()).targets.mail.breaker.state === 'closed') await policy.execute(fail, call).catch(() => {});
  // Breaks and probes that fail: it is one outage.
  for (let probe = 0; probe < 3; probe++) {
    await kernel.clock.advance(4_000);
    await policy.execute(fail, call).catch(() => {});
  }
  const { targets, findings } = await retry();
  expect(targets.mail.breaker).toMatchObject({
    state: 'open',
    lastCause: { code: 'MAIL_REFUSED', message: 'No answer.' },
    notClosedMs: 12_000,
  });
  expect(findings).toEqual([
    {
      name: 'breaker of mail',
      status: 'warn',
      output: 'It is open, and opened 12 s ago. Last cause: MAIL_REFUSED: No answer.',
      hint: 'Fix the cause; the breaker closes by itself when the target answers.',
    },
  ]);
  expect(JSON.stringify(targets)).not.toContain('second line');
});

test('an operator holds a breaker open, reads how to release it, and releases it', async () => {
  const { kernel, policy, retry } = await service();
  const changes = () => kernel.logger.lines('info').filter(({ message }) => message === 'operation applied');
  await policy.execute(async () => 'done', call);
  expect(await kernel.kernel.operate('retry', 'hold', ['mail', 'open'])).toBe(
    'The breaker of "mail" is held open until it is released or the process ends.',
  );
  expect(kernel.logger.find('operation applied')).toMatchObject({
    level: 'info',
    facts: { plugin: 'retry', operation: 'hold', given: { target: 'mail', as: 'open' } },
  });
  expect(await kernel.kernel.operate('retry', 'hold', ['mail', 'open'])).toBe(
    'The breaker of "mail" is held open already.',
  );
  expect(changes()).toHaveLength(1);
  await expect(policy.execute(async () => 'done', call)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
  expect((await retry()).findings).toMatchObject([
    { hint: 'An operator holds the breaker. To release it: keelson do retry release mail' },
  ]);

  expect(await kernel.kernel.operate('retry', 'release', ['mail'])).toBe(
    'The breaker of "mail" is closed and follows its own rules again.',
  );
  expect(await policy.execute(async () => 'done', call)).toBe('done');
  expect(await kernel.kernel.operate('retry', 'release', ['mail'])).toBe('The breaker of "mail" is not held.');
  expect(changes()).toHaveLength(2);

  await kernel.kernel.operate('retry', 'hold', ['mail', 'closed']);
  for (let failure = 0; failure < 20; failure++) await policy.execute(fail, call).catch(() => {});
  const { targets, findings } = await retry();
  expect(targets.mail.breaker.state).toBe('held-closed');
  expect(findings).toMatchObject([{ status: 'warn', output: expect.stringMatching(/^It has been held closed for /) }]);
});

test('a target that was declared can be held before its first call', async () => {
  const { kernel, policy, retry } = await service();
  policy.declareTarget?.('database');
  policy.declareTarget?.('rates');
  expect((await retry()).targets.rates).toMatchObject({ counters: { calls: 0 } });
  expect((await retry()).targets.database).toMatchObject({ breaker: { state: 'closed' }, counters: { calls: 0 } });
  expect(await kernel.kernel.operate('retry', 'hold', ['database', 'open'])).toContain('"database" is held open');
  await expect(policy.execute(async () => 'done', { ...call, name: 'database.session' })).rejects.toMatchObject({
    code: 'CIRCUIT_OPEN',
  });
});

test('a target that was neither called, declared nor configured is refused, with those that are known', async () => {
  const { kernel, policy } = await service();
  await policy.execute(async () => 'done', call);
  await expect(kernel.kernel.operate('retry', 'hold', ['male', 'open'])).rejects.toMatchObject({
    code: 'RETRY_TARGET_UNKNOWN',
    hint: 'Known targets: mail, reports. A target in the option targets is known before its first call.',
  });
  expect(await kernel.kernel.operate('retry', 'hold', ['reports', 'open'])).toContain('"reports" is held open');
});

test('what can be done is listed with its arguments', async () => {
  const { retry } = await service();
  expect((await retry()).operations).toMatchObject([
    { name: 'hold', arguments: [{ name: 'target' }, { name: 'as', choices: ['open', 'closed'] }] },
    { name: 'release', arguments: [{ name: 'target', required: true }] },
  ]);
});
