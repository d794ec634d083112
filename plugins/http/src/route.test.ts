import type { IncomingMessage } from 'node:http';
import type { EntityManager } from '@keelson/database/contract';
import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { type ReceivedRequest, route } from './index.js';

const attempt = { em: {} as EntityManager, signal: new AbortController().signal };
const received = (parts: Partial<Omit<ReceivedRequest, 'request'>>, headers: object = {}) => ({
  params: {},
  query: {},
  body: undefined,
  ...parts,
  request: { headers } as IncomingMessage,
});

const order = z.object({ id: z.string(), createdAt: z.iso.datetime() });

const change = route({
  method: 'patch',
  path: '/:id/lines/:line',
  params: z.object({ id: z.string().min(3), line: z.coerce.number().int() }),
  query: z.object({ dry: z.stringbool().default(false) }),
  body: z.strictObject({ quantity: z.int().min(1, 'must be 1 or more') }),
  answers: { 200: order, 202: { description: 'Later.' } },
  handle: ({ params, query, body }) => {
    expectTypeOf(params).toEqualTypeOf<{ id: string; line: number }>();
    expectTypeOf(query).toEqualTypeOf<{ dry: boolean }>();
    expectTypeOf(body).toEqualTypeOf<{ quantity: number }>();
    if (query.dry) return { status: 202 };
    return { body: { id: `${params.id}-${params.line}-${body.quantity}`, createdAt: new Date(0) } };
  },
});

test('a handler gets its input as the schemas have read it', async () => {
  const handle = change.accept(received({ params: { id: 'abc', line: '2' }, body: { quantity: 3 } }));
  expect(await handle(attempt)).toEqual({ body: { id: 'abc-2-3', createdAt: new Date(0) } });
});

test('all wrong fields of path, query and body are named at once, each with its part and its pointer', () => {
  const wrong = received({ params: { id: 'a', line: 'x' }, query: { dry: 'maybe' }, body: { quantity: 0, 'a/b': 1 } });
  expect(() => change.accept(wrong)).toThrow(
    expect.objectContaining({
      code: 'HTTP_INPUT_INVALID',
      http: expect.objectContaining({
        status: 422,
        errors: [
          { path: '/id', in: 'path', message: expect.any(String) },
          { path: '/line', in: 'path', message: expect.any(String) },
          { path: '/dry', in: 'query', message: expect.any(String) },
          { path: '/quantity', message: 'must be 1 or more' },
          { path: '/a~1b', message: 'is not a known field' },
        ],
      }),
    }),
  );
});

test('a body of another type is a 415, and none at all a 422 that says so', () => {
  const params = { id: 'abc', line: '2' };
  expect(() => change.accept(received({ params }, { 'content-length': '4' }))).toThrow(
    expect.objectContaining({ code: 'HTTP_BODY_NOT_JSON' }),
  );
  expect(() => change.accept(received({ params }))).toThrow(
    expect.objectContaining({
      code: 'HTTP_INPUT_INVALID',
      http: expect.objectContaining({
        errors: [{ path: '', message: 'The body is missing: send it as application/json.' }],
      }),
    }),
  );
});

test('without schemas a handler gets the texts of the path, and no body', async () => {
  const read = route({
    method: 'get',
    path: '/:sku/prices/:currency',
    answers: { 200: z.string() },
    handle: ({ params, body }) => {
      expectTypeOf(params).toEqualTypeOf<{ readonly sku: string; readonly currency: string }>();
      expectTypeOf(body).toEqualTypeOf<undefined>();
      return { body: `${params.sku} ${params.currency} ${body}` };
    },
  });
  const handle = read.accept(received({ params: { sku: 'mug', currency: 'EUR' }, body: { not: 'read' } }));
  expect(await handle(attempt)).toEqual({ body: 'mug EUR undefined' });
});

test('an answer that the route does not describe is an error of the compiler', () => {
  route({
    method: 'get',
    path: '/',
    answers: { 200: z.object({ name: z.string() }), 204: {} },
    // @ts-expect-error the name is a number
    handle: () => ({ body: { name: 1 } }),
  });
  route({
    method: 'get',
    path: '/',
    answers: { 204: {} },
    // @ts-expect-error 201 is not described
    handle: () => ({ status: 201 }),
  });
});

test('a definition with faults is refused with all of them', () => {
  const define = () =>
    route({
      method: 'get',
      path: '/:id/:id/:other',
      // @ts-expect-error the path has another name
      params: z.object({ id: z.string(), more: z.string() }),
      body: z.string(),
      answers: { 99: z.string(), 204: z.string() },
      problems: { 200: 'fine' },
      handle: () => ({ status: 204, body: '' }),
    });
  expect(define).toThrow(
    expect.objectContaining({
      code: 'HTTP_ROUTE_INVALID',
      facts: {
        route: 'GET /:id/:id/:other',
        problems: [
          'path: has ":id" twice',
          'params: has no schema for ":other"',
          'params: the path has no ":more"',
          'body: not allowed for GET',
          'answers: 99 is not a status from 200 to 599',
          'answers: 204 has no body',
          'problems: 200 is not a status from 400 to 599',
        ],
      },
    }),
  );
});

test.each(['', 'orders', '/orders/', '/a b', '/:', '/:a-b', '/*rest', '/a?', '/:id{.:format}'])(
  'the path %j is refused',
  path => {
    expect(() => route({ method: 'get', path, answers: { 204: {} }, handle: () => ({ status: 204 }) })).toThrow(
      expect.objectContaining({ code: 'HTTP_ROUTE_INVALID' }),
    );
  },
);
