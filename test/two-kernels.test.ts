import { type Kernel, RetryPolicy } from '@keelson/core';
import faults from '@keelson/faults';
import health from '@keelson/health';
import cockatiel from '@keelson/retry-cockatiel';
import opossum from '@keelson/retry-opossum';
import { startKernel } from '@keelson/test-support/start-kernel';
import { describe, expect, test } from 'vitest';

const call = { name: 'mail.send', idempotent: false };
const boom = new Error('boom');

/** A service of the very same plugins and options as the other. */
function start(retry: object): Promise<Kernel> {
  const breakers = { policies: { default: { breaker: { consecutiveFailures: 1 } } } };
  const rules = [{ target: 'stock', kind: 'refusal', probability: 1 }];
  return startKernel({
    plugins: { retry, health, faults },
    values: { ...(retry === cockatiel && { retry: breakers }), faults: { rules } },
  });
}

async function stateOf(kernel: Kernel): Promise<string | undefined> {
  const { plugins } = await kernel.status();
  const facts = plugins.find(({ key }) => key === 'retry')?.facts ?? { targets: {} };
  return (facts as { targets: Record<string, { breaker: { state: string } }> }).targets.mail?.breaker.state;
}

describe.each([
  ['opossum', opossum],
  ['cockatiel', cockatiel],
])('two kernels in one process, with retry on %s', (_name, retry) => {
  test('share no breaker, and the stop of one takes nothing from the other', async () => {
    await using one = await start(retry);
    await using other = await start(retry);
    const policies = [one, other].map(kernel => kernel.container.get(RetryPolicy));
    const [policy, untouched] = policies;
    for (const each of policies) await each.execute(async () => 'sent', call);
    for (let failures = 0; failures < 20 && (await stateOf(one)) === 'closed'; failures++) {
      await expect(policy?.execute(() => Promise.reject(boom), call)).rejects.toBe(boom);
    }
    expect(await stateOf(one)).toBe('open');
    expect(await stateOf(other)).toBe('closed');

    expect(await one.stop()).toMatchObject({ outcome: 'clean' });
    expect(await untouched?.execute(async () => 'sent', call)).toBe('sent');
    await expect(untouched?.execute(async () => 'read', { ...call, name: 'stock.read' })).rejects.toMatchObject({
      code: 'FAULT_INJECTED',
    });
  });
});

test('an operator who names a further retry policy steers that one, and no other', async () => {
  await using kernel = await startKernel({
    plugins: { retry: opossum, 'retry/slow': opossum },
    values: { 'retry/slow': { targets: { mail: 'default' } } },
  });
  await kernel.container.get(RetryPolicy).execute(async () => 'sent', call);
  await kernel.operate('retry/slow', 'hold', ['mail', 'open']);
  expect(await stateOf(kernel)).toBe('closed');
  const slow = kernel.container.get(RetryPolicy, { name: 'slow' });
  await expect(slow.execute(async () => 'sent', call)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
});
