import { expect, test } from 'vitest';
import { welcome } from './welcome.js';

test('each welcome names a product of its own, so that its commands work in a database that has seen them before', () => {
  const skus = Array.from(
    { length: 10 },
    () => /"sku":"([^"]+)"/.exec(welcome('orders', 'http://127.0.0.1:3000'))?.[1],
  );
  expect(new Set(skus).size).toBe(10);
});
