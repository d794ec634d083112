import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { KeelsonError } from '../contract/keelson-error.js';
import { defineOperation } from '../contract/operation.js';
import type { Plugin } from '../contract/plugin.js';
import { Kernel } from '../life/kernel.js';
import { FakeClock } from '../testing/fake-clock.js';

const set = defineOperation({
  description: 'Sets the rate.',
  arguments: z.object({ rate: z.int().max(5), how: z.enum(['fast', 'slow']).default('slow') }),
  run: ({ rate, how }, { key }) => `The rate of ${key} is ${rate}, ${how}.`,
});
const sound: Plugin = { name: 'orders', start: () => ({ operations: { set } }) };

async function running(plugins: Record<string, Plugin>, clock = new FakeClock()): Promise<Kernel> {
  const kernel = await Kernel.start({ config: { service: 'test' }, variables: {}, clock, plugins });
  onTestFinished(() => void kernel.stop());
  return kernel;
}

test('words become the arguments of an operation, in their order', async () => {
  const kernel = await running({ orders: sound });
  expect(await kernel.operate('orders', 'set', ['3'])).toBe('The rate of orders is 3, slow.');
  expect(await kernel.operate('orders', 'set', ['3', 'fast'])).toBe('The rate of orders is 3, fast.');
});

test('everything wrong with the words is said at once, with what is allowed and how it is written', async () => {
  const kernel = await running({ orders: sound });
  const refused = await kernel.operate('orders', 'set', ['9', 'fsat', 'more']).catch(error => error);
  expect(refused).toMatchObject({
    code: 'KERNEL_OPERATION_INVALID',
    hint: 'Write: keelson do orders set <rate> <how>',
  });
  expect(refused.message).toContain('rate cannot be 9. Allowed: a whole number of at most 5.');
  expect(refused.message).toContain('how cannot be "fsat". Allowed: one of fast, slow.');
  expect(refused.message).toContain('No argument is allowed after how.');
  await expect(kernel.operate('orders', 'set', [])).rejects.toThrow('rate is missing.');
});

test('an argument can be given by its name, and one that the operation has not is refused', async () => {
  const kernel = await running({ orders: sound });
  expect(await kernel.operate('orders', 'set', ['3'], { how: 'fast' })).toBe('The rate of orders is 3, fast.');
  const refused = await kernel.operate('orders', 'set', ['3'], { forMs: '5m' }).catch(error => error);
  expect(refused.message).toContain('It has no argument forMs.');
});

test('an operation that is not there is refused with the nearest one, or with all', async () => {
  const kernel = await running({ orders: sound });
  const unknown = { code: 'KERNEL_OPERATION_UNKNOWN' };
  await expect(kernel.operate('orders', 'sett', ['3'])).rejects.toMatchObject({
    ...unknown,
    hint: 'Did you mean orders set?',
  });
  await expect(kernel.operate('mail', 'toString', [])).rejects.toMatchObject({
    ...unknown,
    hint: 'Available: orders set.',
  });
  await expect(kernel.operate('orders', 'toString', [])).rejects.toMatchObject(unknown);
});

test('an error of an operation is thrown as it is, and one that does not end runs out of time', async () => {
  const clock = new FakeClock();
  const refused = new KeelsonError({ code: 'ORDERS_BUSY', message: 'Not now.' });
  const none = z.object({});
  const operations = {
    fail: defineOperation({ description: 'Fails.', arguments: none, run: () => Promise.reject(refused) }),
    hang: defineOperation({ description: 'Hangs.', arguments: none, run: () => new Promise<string>(() => {}) }),
  };
  const kernel = await running({ orders: { name: 'orders', start: () => ({ operations }) } }, clock);
  await expect(kernel.operate('orders', 'fail', [])).rejects.toBe(refused);
  const hanging = kernel.operate('orders', 'hang', []).catch(error => error.code);
  while (clock.pending === 0) await new Promise(resolve => setImmediate(resolve));
  await clock.advance(31_000);
  expect(await hanging).toBe('KERNEL_HOOK_TIMEOUT');
});
