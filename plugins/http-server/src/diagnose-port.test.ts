import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpServer, Kernel, type Plugin } from '@keelson/core';
import { freePort } from '@keelson/test-support/free-port';
import { expect, test } from 'vitest';
import { diagnosePorts } from './diagnose-port.js';
import { http as plugin } from './server-under-test.fixture.js';

test('a free port passes, and is released', async () => {
  const place = { port: await freePort(), host: '127.0.0.1' };
  const found = [{ name: 'port', status: 'pass', output: `Port ${place.port} is free.` }];
  expect(await diagnosePorts(place)).toEqual(found);
  expect(await diagnosePorts(place)).toEqual(found);
});

test('a port in use is a warning, since it may be the running service itself', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const [found] = await diagnosePorts({ port, host: '127.0.0.1' });
  other.close();
  expect(found).toMatchObject({ status: 'warn', output: `Port ${port} is in use by another process.` });
  expect(found?.hint).toMatch(/^Do nothing if this service runs.* set another port/);
});

test('an address of another machine is a failure', async () => {
  const [found] = await diagnosePorts({ port: 0, host: '192.0.2.1' });
  expect(found).toMatchObject({ status: 'fail', hint: expect.stringContaining('an address of this machine') });
});

test('a start with serving: false does not listen, and stops cleanly', async () => {
  const kernel = await Kernel.start({
    config: { service: 'shop' },
    overrides: { plugins: { http: { port: 0, host: '127.0.0.1' } } },
    variables: {},
    plugins: { http: plugin as Plugin },
    only: () => true,
  });
  expect(kernel.container.get(HttpServer).url).toBeUndefined();
  expect((await kernel.diagnose()).get('http')).toMatchObject([{ name: 'port', status: 'pass' }]);
  expect(await kernel.stop()).toMatchObject({ outcome: 'clean' });
});
