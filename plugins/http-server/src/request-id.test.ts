import { currentContext } from '@keelson/core';
import { describe, expect, test } from 'vitest';
import { Harness } from './harness.fixture.js';

describe('the request id', () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

  test('of the caller is kept when it is safe, and sent back', async () => {
    await using harness = await new Harness().ready();
    const { url } = harness;
    for (const id of ['a', 'order:7/retry=1', 'x'.repeat(128)]) {
      expect((await fetch(url, { headers: { 'X-Request-Id': id } })).headers.get('x-request-id')).toBe(id);
    }
  });

  test('is made when there is none, or one that is not safe', async () => {
    await using harness = await new Harness().ready();
    const { url } = harness;
    expect((await fetch(url)).headers.get('x-request-id')).toMatch(uuid);
    for (const id of ['', 'two words', 'x'.repeat(129), '"quoted"', '<script>', 'a,b']) {
      expect((await fetch(url, { headers: { 'X-Request-Id': id } })).headers.get('x-request-id')).toMatch(uuid);
    }
  });

  test('is in the context of the handler, after a body was read too', async () => {
    await using harness = await new Harness().ready();
    const { http, url } = harness;
    http.router('/context', async (_request, response) => {
      await new Promise(setImmediate);
      response.end(JSON.stringify(currentContext()));
    });
    const headers = { 'X-Request-Id': 'r-1', 'Content-Type': 'application/json' };
    const body = JSON.stringify({ text: 'x'.repeat(50_000) });
    expect(await (await fetch(`${url}/context`, { headers })).json()).toMatchObject({ requestId: 'r-1' });
    expect(await (await fetch(`${url}/context`, { method: 'POST', headers, body })).json()).toMatchObject({
      requestId: 'r-1',
    });
  });

  test('can travel in another header', async () => {
    await using harness = await new Harness({ requestIdHeader: 'X-Correlation-Id' }).ready();
    const { url } = harness;
    const { headers } = await fetch(url, { headers: { 'X-Correlation-Id': 'c-1' } });
    expect([headers.get('x-correlation-id'), headers.has('x-request-id')]).toEqual(['c-1', false]);
  });
});
