import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { Harness } from './harness.fixture.js';
import { listen } from './listen.js';
import { httpOptions } from './options.js';

const answer = (text: string) => (_request: unknown, response: { end(text: string): void }) => response.end(text);
const admin = { port: 0, host: '127.0.0.1' };
const admins = { session: 'none', admin: true } as const;

test('with an admin port, routes of operators are there and nowhere else', async () => {
  await using harness = new Harness({ admin });
  harness.http.router('/readyz', answer('ready'), admins);
  harness.http.router('/orders', answer('orders'));
  await harness.ready();
  const { adminUrl, adminAddress } = harness.http;
  expect(adminAddress).toBe('127.0.0.1');
  expect(await (await fetch(`${adminUrl}/readyz`)).text()).toBe('ready');
  expect((await fetch(`${harness.url}/readyz`)).status).toBe(404);
  expect((await fetch(`${adminUrl}/orders`)).status).toBe(404);
  expect(await (await fetch(`${harness.url}/orders`)).text()).toBe('orders');
});

test('without one, they are on the port of the API', async () => {
  await using harness = await new Harness().ready();
  harness.http.router('/readyz', answer('ready'), admins);
  expect(harness.http.adminUrl).toBeUndefined();
  expect(await (await fetch(`${harness.url}/readyz`)).text()).toBe('ready');
});

test('the admin port answers before the service is ready, and after the API has drained', async () => {
  await using harness = new Harness({ admin });
  harness.http.router('/livez', answer('alive'), admins);
  await harness.start();
  const { adminUrl } = harness.http;
  expect(await (await fetch(`${adminUrl}/livez`)).text()).toBe('alive');
  harness.letIn();
  await harness.drain();
  expect(await (await fetch(`${adminUrl}/livez`)).text()).toBe('alive');
  await harness.stop();
  await expect(fetch(`${adminUrl}/livez`)).rejects.toThrow();
});

test('a request on the admin port has an id and a problem document, and a line in the log at debug', async () => {
  await using harness = new Harness({ admin });
  harness.http.router(
    '/broken',
    () => {
      throw new Error('broken');
    },
    admins,
  );
  await harness.ready();
  const response = await fetch(`${harness.http.adminUrl}/broken`);
  expect(response.status).toBe(500);
  expect(response.headers.get('x-request-id')).not.toBeNull();
  expect(response.headers.get('content-type')).toBe('application/problem+json');
});

test('an admin port that is taken is an error of the start, and the port of the API is free again', async () => {
  const other = createServer();
  const { port } = await listen(other, admin);
  await using harness = new Harness({ admin: { port, host: '127.0.0.1' } });
  await expect(harness.start()).rejects.toMatchObject({ code: 'HTTP_PORT_TAKEN', facts: { port } });
  expect(harness.http.url).toBeUndefined();
  other.close();
});

test('the admin port must be another port', () => {
  const result = httpOptions.safeParse({ port: 3_000, admin: { port: 3_000 } });
  expect(result.error?.issues).toMatchObject([{ path: ['admin', 'port'] }]);
  expect(httpOptions.safeParse({ port: 0, admin: { port: 0 } }).success).toBe(true);
});
