import { readFile } from 'node:fs/promises';
import { Deadline, type ExecuteOptions, HttpClient, Kernel, type RetryPolicy } from '@keelson/core';
import { createTestKernel, type FakeClock, type TestKernel } from '@keelson/core/testing';
import { expect, onTestFinished, test } from 'vitest';
import plugin from './index.js';
import { httpClientOptions, targetOptions } from './options.js';

const notSent = new Error('not sent');

/** A service whose retry policy sends nothing and remembers what it was asked. */
async function start(target: object) {
  const calls: ExecuteOptions[] = [];
  const declared: string[] = [];
  const retry: RetryPolicy = {
    execute: (_work, options) => {
      calls.push(options);
      return Promise.reject(notSent);
    },
    declareTarget: name => void declared.push(name),
  };
  const values = { 'http-client': { targets: { prices: { baseUrl: 'https://prices.example.com', ...target } } } };
  const service: TestKernel<FakeClock> = await createTestKernel({ plugins: [plugin], slots: { retry }, values });
  onTestFinished(() => void service.stop());
  const declaredAtStart = [...declared];
  const prices = service.container.get(HttpClient).target('prices');
  const ask = async (options = {}) => {
    await expect(prices?.fetch('/prices/7', options)).rejects.toBe(notSent);
    return calls.at(-1);
  };
  return { prices, ask, declaredAtStart, clock: service.clock };
}

test('a target is known to the retry policy before its first call, by its name or by the one that is given', async () => {
  expect((await start({})).declaredAtStart).toEqual(['prices']);
  const { declaredAtStart, ask } = await start({ retryTarget: 'shop' });
  expect(declaredAtStart).toEqual(['shop']);
  expect(await ask()).toMatchObject({ name: 'http-client.get', target: 'shop', idempotent: true });
});

test('without limits in the configuration, those of the caller hold', async () => {
  const { ask, clock } = await start({});
  const deadline = Deadline.after(5_000, clock);
  expect(await ask({ deadline, attemptTimeoutMs: 70 })).toMatchObject({ deadline, attemptTimeoutMs: 70 });
  expect(await ask()).not.toHaveProperty('deadline');
});

test('a request ends after the time of its target, or at the deadline of its caller when that comes first', async () => {
  const { ask, clock } = await start({ timeoutMs: 1_000, attemptTimeoutMs: 50 });
  expect((await ask())?.deadline?.at).toBe(1_000);
  expect((await ask({ deadline: Deadline.after(5_000, clock) }))?.deadline?.at).toBe(1_000);
  expect((await ask({ deadline: Deadline.after(300, clock) }))?.deadline?.at).toBe(300);
  expect(await ask()).toMatchObject({ attemptTimeoutMs: 50 });
  expect(await ask({ attemptTimeoutMs: 70 })).toMatchObject({ attemptTimeoutMs: 70 });
});

test.each(['prices/7', '/../7', 'https://elsewhere.example.com/'])('the path %s is refused', async path => {
  const { prices } = await start({ baseUrl: 'https://example.com/prices/' });
  const refused = { code: 'HTTP_CLIENT_PATH_INVALID', facts: { target: 'prices' } };
  await expect(prices?.fetch(path)).rejects.toMatchObject(refused);
  await expect(prices?.fetch('/7')).rejects.toBe(notSent);
});

test.each([
  'prices.example.com',
  'ftp://example.com',
  'https://user:word@example.com',
  'https://example.com/?key=1',
  'https://example.com/#top',
])('the base URL %s is a problem of the plan', async baseUrl => {
  const config = { service: 'asking', plugins: { 'http-client': { targets: { prices: { baseUrl } } } } };
  const { problems } = await Kernel.plan({ config, variables: {}, plugins: { 'http-client': plugin } });
  expect(problems).toMatchObject([
    { code: 'CONFIG_VALUE_INVALID', path: 'plugins.http-client.targets.prices.baseUrl' },
  ]);
});

test('the README lists every option', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const documented = [...readme.matchAll(/^\| `targets\.<name>\.(\w+)`/gm)].map(([, option]) => option);
  expect(documented.sort()).toEqual(Object.keys(targetOptions.shape).sort());
  expect(Object.keys(httpClientOptions.shape).toSorted()).toEqual(['targets', 'timeoutHeader']);
  expect(readme).toContain('| `timeoutHeader` ');
});
