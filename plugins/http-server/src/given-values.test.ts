import { describeError } from '@keelson/core';
import { json } from 'express';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Harness } from './harness.fixture.js';
import { Router } from './server-under-test.fixture.js';

let harness: Harness;

beforeEach(async () => {
  harness = await new Harness().ready();
});
afterEach(() => harness.stop());

const headers = {
  authorization: `Basic ${Buffer.from('hush-user:hush-password').toString('base64')}`,
  cookie: 'session=hush-cookie; theme=dark',
  'x-tenant': 'hush-tenant',
  'content-type': 'application/json',
};

/** The message of the error that a handler throws, as the log and telemetry show it. */
async function shownOf(message: (request: import('express').Request) => string): Promise<string[]> {
  const routes = Router().post('/:id/lines', json(), request => {
    throw new Error('failed', { cause: new Error(message(request)) });
  });
  harness.http.router('/orders', routes);
  const body = JSON.stringify({ card: 4_711_471_147, lines: [{ note: 'hush-note' }], short: 'abc' });
  const response = await fetch(`${harness.url}/orders/hush%20id/lines?q=hush-query`, { method: 'POST', headers, body });
  expect(response.status).toBe(500);
  await expect.poll(() => harness.logger.lines('error')).toHaveLength(1);
  const errors = [
    ...harness.logger.lines('error').map(({ facts }) => facts?.error),
    ...harness.telemetry.errors().map(({ error }) => error),
  ];
  expect(errors).toHaveLength(2);
  return errors.map(error => (describeError(error).cause as Error).message);
}

test.each<[string, (request: import('express').Request) => string]>([
  ['the path', ({ params }) => `no order ${params.id}`],
  ['the query', ({ query }) => `nothing is ${query.q}`],
  ['the url', ({ originalUrl }) => `nothing at ${originalUrl}`],
  ['a header', request => `no tenant ${request.headers['x-tenant']}`],
  ['a cookie', () => 'no session hush-cookie'],
  ['a login', () => 'hush-user has not the password hush-password'],
  ['the body', ({ body }) => `cannot charge ${body.card} for ${body.lines[0].note}`],
])('what a client has sent is not in the error of a handler: %s', async (_what, message) => {
  for (const shown of await shownOf(message)) {
    expect(shown).toContain('[masked]');
    expect(shown).not.toMatch(/hush|4711/);
  }
});

test("what is the service's own stays: names of routes and fields, types of bodies, short values", async () => {
  const message = 'orders/lines of application/json with abc and note';
  expect(await shownOf(() => message)).toEqual([message, message]);
});
