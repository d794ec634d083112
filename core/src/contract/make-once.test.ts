import { expect, test } from 'vitest';
import { makeOnce } from './make-once.js';

test('a service is made from what is given first, and once', () => {
  const serviceOf = makeOnce((name: string) => ({ name }));
  const service = serviceOf('first');
  expect(service).toEqual({ name: 'first' });
  expect(serviceOf('second')).toBe(service);
});

test('a service that could not be made is tried again', () => {
  let attempts = 0;
  const serviceOf = makeOnce(() => {
    if (++attempts === 1) throw new Error('no luck');
    return { attempts };
  });
  expect(serviceOf).toThrow('no luck');
  expect(serviceOf()).toEqual({ attempts: 2 });
});
