import { KeelsonError, Kernel, type Plugin } from '@keelson/core';
import { describe, expect, test } from 'vitest';
import { Harness, problemFrom } from './harness.fixture.js';
import { httpOptions } from './options.js';
import { http } from './server-under-test.fixture.js';

const failing = (error: unknown) => () => {
  throw error;
};

const locked = new KeelsonError({
  code: 'DATABASE_QUERY_FAILED',
  message: 'A lock did not come free in time.',
  facts: { kind: 'lock-timeout' },
  http: { status: 503, title: 'Service Unavailable', detail: 'It is busy.', retryAfterMs: 1_000 },
});

async function harnessWith(options: object): Promise<Harness> {
  const harness = new Harness(httpOptions.parse({ ...options, port: 0, host: '127.0.0.1' }));
  harness.http.router('/locked', failing(locked));
  harness.http.router('/broken', failing(new Error('secret')));
  return harness.ready();
}

describe('the type of a problem', () => {
  test('leads to the list of errors that the deployment names', async () => {
    await using harness = await harnessWith({ problems: { typeBase: 'https://docs.example.com/errors#' } });
    const { body } = await problemFrom(await fetch(`${harness.url}/nothing`));
    expect(body.type).toBe('https://docs.example.com/errors#HTTP_ROUTE_UNKNOWN');
  });

  test('leads to an anchor of a page in Markdown', async () => {
    await using harness = await harnessWith({ problems: { typeBase: 'https://docs.example.com/errors.md#{anchor}' } });
    const { body } = await problemFrom(await fetch(`${harness.url}/nothing`));
    expect(body.type).toBe('https://docs.example.com/errors.md#http_route_unknown');
  });
});

describe('the status of an error', () => {
  test('is what the deployment says for its kind', async () => {
    const overrides = { 'lock-timeout': { status: 409, detail: 'Somebody else is changing it.' } };
    await using harness = await harnessWith({ problems: { overrides } });
    expect(await problemFrom(await fetch(`${harness.url}/locked`))).toMatchObject({
      status: 409,
      retryAfter: '1',
      body: { status: 409, title: 'Conflict', detail: 'Somebody else is changing it.' },
    });
  });

  test('is what the deployment says for its code, before its kind', async () => {
    const overrides = {
      'lock-timeout': { status: 409 },
      DATABASE_QUERY_FAILED: { status: 429, title: 'Too busy' },
    };
    await using harness = await harnessWith({ problems: { overrides } });
    expect((await problemFrom(await fetch(`${harness.url}/locked`))).body).toMatchObject({
      status: 429,
      title: 'Too busy',
      detail: 'It is busy.',
    });
  });

  test.each([399, 600, 200])('cannot be %i', status => {
    expect(httpOptions.safeParse({ problems: { overrides: { unique: { status } } } }).success).toBe(false);
  });
});

describe('a client that accepts text and no JSON', () => {
  test.each(['text/plain', 'text/plain; charset=utf-8, text/html', 'text/*'])('%s gets text', async accept => {
    await using harness = await harnessWith({});
    const response = await fetch(`${harness.url}/locked`, { headers: { accept } });
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await response.text()).toMatch(
      /^503 Service Unavailable\nIt is busy\.\nDATABASE_QUERY_FAILED urn:keelson:request:\S+\n$/,
    );
  });

  test('sees no more of an unexpected error than others do', async () => {
    await using harness = await harnessWith({});
    const response = await fetch(`${harness.url}/broken`, { headers: { accept: 'text/plain' } });
    expect(await response.text()).not.toContain('secret');
  });

  test.each(['*/*', 'application/json', 'text/plain, application/json', 'text/html, */*;q=0.8'])(
    '%s does not',
    async accept => {
      await using harness = await harnessWith({});
      const response = await fetch(`${harness.url}/locked`, { headers: { accept } });
      expect(response.headers.get('content-type')).toBe('application/problem+json');
    },
  );
});

test('http2: true is a problem of the plan, with the reason', async () => {
  const planned = Kernel.start({
    config: { service: 'two' },
    plugins: { http } as Record<string, Plugin>,
    overrides: { plugins: { http: { http2: true } } },
    variables: {},
  });
  await expect(planned).rejects.toThrow(/http2 cannot be true: the server answers HTTP\/1\.1 only.*proxy in front/s);
});
