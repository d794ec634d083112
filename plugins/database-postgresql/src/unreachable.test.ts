import { Kernel } from '@keelson/core';
import plugin from '@keelson/database-postgresql';
import { expect, test } from 'vitest';

/** No process listens there: the ports are unassigned and privileged. */
const hosts = '127.0.0.1:1,localhost:2';

async function start(url: string): Promise<{ error: unknown; slow: string[] }> {
  const slow: string[] = [];
  const overrides = { startup: { slowMs: 50 }, plugins: { database: { url, connect: { timeoutMs: 300 } } } };
  const start = Kernel.start({
    config: { service: 'shop', plugins: { database: { use: 'the test' } } },
    variables: {},
    plugins: { database: plugin },
    overrides,
    onSlowStart: message => slow.push(message),
  });
  const error = await start.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { error, slow };
}

test('a database that cannot be reached is named by host, port and database, while it is waited for and after', async () => {
  const { error, slow } = await start(`postgresql://me:hunter2@${hosts}/orders`);
  expect(slow[0]).toContain(`database (waits for a connection to ${hosts}/orders)`);
  expect(error).toMatchObject({
    code: 'KERNEL_START_FAILED',
    message: expect.stringContaining(`The database ${hosts}/orders accepted no connection within 300 ms`),
    cause: { facts: { servers: ['127.0.0.1:1', 'localhost:2'], database: 'orders' } },
  });
  expect(JSON.stringify(error) + slow.join()).not.toMatch(/hunter2|me:/);
});
