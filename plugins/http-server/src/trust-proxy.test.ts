import { describe, expect, test } from 'vitest';
import { Harness } from './harness.fixture.js';
import { httpOptions } from './options.js';
import { isExpress } from './server-under-test.fixture.js';

const forwarded = {
  'X-Forwarded-For': '203.0.113.9, 10.1.2.3',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'shop.example.com',
};

describe('trustProxy', () => {
  // Both are properties of the request that Express makes. What limits count by is in rate-limits.test.ts, for each server.
  test.runIf(isExpress).each([
    [false, '127.0.0.1', 'http'],
    [0, '127.0.0.1', 'http'],
    ['10.0.0.0/8', '127.0.0.1', 'http'],
    [1, '10.1.2.3', 'https'],
    ['loopback', '10.1.2.3', 'https'],
    ['127.0.0.1/32', '10.1.2.3', 'https'],
    [2, '203.0.113.9', 'https'],
    ['loopback, 10.0.0.0/8', '203.0.113.9', 'https'],
    [['::1', 'loopback', 'uniquelocal'], '203.0.113.9', 'https'],
    [true, '203.0.113.9', 'https'],
  ])('%j believes that a request comes from %s over %s', async (trustProxy, ip, protocol) => {
    await using harness = await new Harness(httpOptions.parse({ port: 0, host: '127.0.0.1', trustProxy })).ready();
    harness.http.router('/who', (request, response) => {
      const { ip: seen, protocol: over } = request as unknown as { ip: string; protocol: string };
      response.end(JSON.stringify([seen, over]));
    });
    expect(await (await fetch(`${harness.url}/who`, { headers: forwarded })).json()).toEqual([ip, protocol]);
  });

  test.each([
    '1',
    'true',
    '',
    'nonsense',
    '300.1.1.1',
    '10.0.0.0/33',
    '::1/129',
    'loopback,',
    ['loopback', '1'],
    -1,
    1.5,
  ])('%j is refused before the start', trustProxy => {
    expect(httpOptions.safeParse({ trustProxy }).success).toBe(false);
  });
});
