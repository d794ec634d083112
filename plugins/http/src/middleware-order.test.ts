import type { HttpHandler, MiddlewareOptions } from '@keelson/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MiddlewareList, middlewareStages } from './index.js';

const pass: HttpHandler = (_request, _response, next) => next();

function listOf(...options: readonly MiddlewareOptions[]): MiddlewareList {
  const list = new MiddlewareList();
  for (const one of options) list.add(pass, one);
  return list;
}

const namesOf = (list: MiddlewareList) => {
  const ordered = list.order();
  return middlewareStages.flatMap(stage => ordered[stage].map(({ name }) => name));
};

describe('the order of middleware', () => {
  test('is that of stages, then of `before`, then of names', () => {
    const list = listOf(
      { name: 'spa', stage: 'late' },
      { name: 'zip', stage: 'early', before: ['helmet', 'spa'] },
      { name: 'helmet', stage: 'early' },
      { name: 'audit', stage: 'early' },
      { name: 'login', stage: 'session' },
      { name: 'rights' },
    );
    expect(namesOf(list)).toEqual(['audit', 'zip', 'helmet', 'login', 'rights', 'spa']);
  });

  test('does not depend on the order in which it was added, and keeps every `before`', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const graph = fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 8 });
    fc.assert(
      fc.property(
        graph,
        fc.shuffledSubarray(names, { minLength: 6 }),
        fc.shuffledSubarray(names, { minLength: 6 }),
        (edges, one, other) => {
          // From a lower to a higher place in `one`: no circle.
          const before = (name: string) =>
            edges.flatMap(([a, b]) => (one[Math.min(a, b)] === name && a !== b ? [one[Math.max(a, b)] ?? ''] : []));
          const options = (name: string) => ({ name, before: before(name) });
          const first = namesOf(listOf(...one.map(options)));
          expect(namesOf(listOf(...other.map(options)))).toEqual(first);
          for (const name of names)
            for (const next of before(name)) expect(first.indexOf(name)).toBeLessThan(first.indexOf(next));
        },
      ),
    );
  });

  test('that cannot be is refused with all problems: HTTP_MIDDLEWARE_INVALID', () => {
    const list = listOf(
      { name: 'twice' },
      { name: 'twice' },
      { name: 'a b', path: 'orders' },
      { name: 'lost', before: ['nobody', 'first'] },
      { name: 'first', stage: 'early' },
      // @ts-expect-error no such stage
      { name: 'odd', stage: 'middle' },
    );
    const onError = (_error: unknown, _request: unknown, _response: unknown, _next: unknown) => {};
    // @ts-expect-error as Express knows it
    list.add(onError, { name: 'on-error' });
    expect(() => list.order()).toThrow(
      expect.objectContaining({
        code: 'HTTP_MIDDLEWARE_INVALID',
        facts: {
          problems: [
            'twice: is used twice',
            'a b: the name must be letters, digits and . _ / -',
            'a b: orders is not a path',
            'lost: before nobody: there is no such middleware',
            'lost: before first: its stage early comes before the stage routes',
            'odd: the stage must be one of early, session, routes, late',
            'on-error: an error handler (four parameters) cannot be middleware',
          ],
        },
      }),
    );
  });

  test('in a circle is refused, naming the circle', () => {
    const list = listOf(
      { name: 'leads-in', before: 'a' },
      { name: 'a', before: 'b' },
      { name: 'b', before: 'c' },
      { name: 'c', before: 'a' },
      { name: 'self', stage: 'early', before: 'self' },
    );
    expect(() => list.order()).toThrow(
      expect.objectContaining({
        facts: { problems: ['self before self: a cycle', 'a before b before c before a: a cycle'] },
      }),
    );
  });

  test('is fixed once: what comes later is refused: HTTP_MIDDLEWARE_LATE', () => {
    const list = listOf({ name: 'a' });
    expect(list.order()).toBe(list.order());
    expect(() => list.add(pass, { name: 'b' })).toThrow(
      expect.objectContaining({ code: 'HTTP_MIDDLEWARE_LATE', facts: { name: 'b' } }),
    );
  });
});
