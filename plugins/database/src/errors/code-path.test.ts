import { describe, expect, test } from 'vitest';
import { callerPath, codePath } from './code-path.js';

const stackOf = (...frames: string[]) => ['Error: at home', ...frames.map(frame => `    at ${frame}`)].join('\n');

const frames = {
  node: 'process.processTicksAndRejections (node:internal/process/task_queues:105:5)',
  vendor: 'SqlEntityManager.find (file:///srv/node_modules/@mikro-orm/core/EntityManager.js:10:3)',
  ours: 'LazyTransaction.commit (file:///srv/node_modules/@keelson/database/dist/transaction/lazy-transaction.js:9:9)',
  driver: 'Pool.lend (file:///srv/node_modules/@keelson/database-postgresql/dist/connection-pool.js:9:9)',
  workspace: 'LazyTransaction.commit (/home/dev/keelson/plugins/database/src/transaction/lazy-transaction.ts:9:9)',
  windows: 'LazyTransaction.commit (C:\\keelson\\plugins\\database\\dist\\transaction\\lazy-transaction.js:9:9)',
  anonymous: 'async Promise.all (<anonymous>)',
  promise: 'new Promise (unknown)',
  together: 'async Promise.allSettled (index 0)',
  unnamed: 'Orders.<anonymous> (file:///srv/orders/src/orders.js:12:7)',
  service: 'OrderBook.place (file:///srv/orders/src/order-book.js:12:7)',
  unnamedUnit: 'Unit.<anonymous> (file:///srv/orders/src/order-book.js:7:52)',
  plugin: 'createRoutes (file:///srv/node_modules/@keelson/http-express/dist/routes.js:3:1)',
};

describe('the code path of a stack', () => {
  for (const [name, frame] of Object.entries(frames)) {
    const theirs = ['service', 'unnamed', 'unnamedUnit', 'plugin'].includes(name);
    test(`${theirs ? 'begins at' : 'passes over'} a frame of: ${name}`, () => {
      const after = 'later (file:///srv/orders/src/later.js:1:1)';
      expect(codePath(stackOf(frame, after))).toBe(theirs ? frame : after);
    });
  }

  test('is the first of several', () => {
    expect(codePath(stackOf(frames.ours, frames.service, frames.plugin))).toBe(frames.service);
  });

  test('is unknown when there is none', () => {
    expect(codePath(undefined)).toBeUndefined();
    expect(codePath('Error: at the beginning of a message')).toBeUndefined();
    expect(codePath(stackOf(frames.node, frames.vendor))).toBeUndefined();
  });
});

test('asking for the code path leaves the depth of later stacks as it was', () => {
  const before = Error.stackTraceLimit;
  callerPath();
  expect(Error.stackTraceLimit).toBe(before);
});
