import { type CorrelationContext, logLevels, runWithContext } from '@keelson/core';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBunyanLogger } from './bunyan-logger.js';
import { DirectLines } from './direct-lines.js';
import { PlainKeys } from './plain-keys.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-02T03:04:05.678Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Two loggers that differ in one thing: only the first may write a line without making its record. */
function pair() {
  const settings = { name: 'orders', level: 'trace', secretKeys: ['iban'], flush: async () => {} } as const;
  const direct: string[] = [];
  const made: string[] = [];
  let count = 0;
  return {
    either: createBunyanLogger({
      ...settings,
      write: record => direct.push(JSON.stringify(record)),
      writeLine: line => {
        count++;
        direct.push(line);
      },
    }),
    slow: createBunyanLogger({ ...settings, write: record => made.push(JSON.stringify(record)) }),
    lines: () => ({ direct: direct.at(-1), made: made.at(-1), count }),
  };
}

const key = fc.oneof(
  fc.constantFrom('route', 'status', 'durationMs', 'requestId', 'plugin', 'error', 'err', 'facts', 'name', 'msg', 'v'),
  fc.constantFrom('password', 'iban', 'accessToken', 'toJSON', '__proto__', 'constructor', '1', 'a"b', ''),
  fc.string({ maxLength: 6 }),
);
const texts = fc.oneof(
  fc.constantFrom(
    '',
    '/orders/:id',
    '[masked]',
    'pg://orders:hush@db/orders',
    'Bearer hush-hush-hush',
    'password=hush',
  ),
  fc.constantFrom(
    'foo"',
    '":"password=hush',
    '?sig=hush',
    'sig',
    '=',
    'Bearer',
    ' hush-hush-hush',
    'a\nb',
    '\ud800',
    'é %s',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const value = fc.oneof(
  { weight: 6, arbitrary: texts },
  {
    weight: 4,
    arbitrary: fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.constantFrom(null, undefined, -0, 1e21)),
  },
  { weight: 1, arbitrary: fc.oneof(fc.bigInt(), fc.date(), fc.constant(new Error('pg://a:hush@b')), fc.object()) },
);
const facts = fc.option(fc.dictionary(key, value, { maxKeys: 6 }), { nil: undefined });
const context: fc.Arbitrary<CorrelationContext> = fc.record(
  { requestId: texts, traceId: texts, sessionId: texts },
  { requiredKeys: [] },
);

test('a line written at once is the line of the record, whatever facts, context and message are', () => {
  const { either, slow, lines } = pair();
  const line = fc.record({
    level: fc.constantFrom(...logLevels),
    message: texts,
    facts,
    context,
    child: fc.option(fc.dictionary(key, value, { maxKeys: 2 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(line, ({ level, message, facts, context, child }) => {
      const of = (logger: typeof either) => (child === undefined ? logger : logger.child(child));
      // The keys of the first line are known in the second.
      for (let time = 0; time < 2; time++) {
        runWithContext(context, () => of(either)[level](message, facts));
        runWithContext(context, () => of(slow)[level](message, facts));
        expect(lines().direct).toBe(lines().made);
      }
    }),
    { numRuns: 600 },
  );
  expect(lines().count).toBeGreaterThan(100);
});

test('a secret is masked, whatever the fact before it ends with', () => {
  const { either, slow, lines } = pair();
  either.info('learns', { a: 'x', b: 'y' });
  for (const logger of [either, slow]) logger.info('m', { a: 'foo"', b: ':"password=hush' });
  expect(lines().direct).toBe(lines().made);
  expect(lines().direct).not.toContain('hush');
});

test('the access log of a request is written at once, from the second line on', () => {
  const { either, lines } = pair();
  const access = () =>
    either.info('GET /orders/:id 200', { method: 'GET', route: '/orders/:id', status: 200, durationMs: 1.3 });
  access();
  expect(lines().count).toBe(0);
  runWithContext({ requestId: 'r-1', sessionId: 's-1' }, access);
  expect(lines().count).toBe(1);
});

test('the access log of a request is written at once, too, when its context has the id of its session', () => {
  const { either, slow, lines } = pair();
  const facts = { method: 'GET', status: 200, sessionId: 'e1be-2' };
  for (const logger of [either, slow]) {
    runWithContext({ requestId: 'r-1', sessionId: 'e1be-2' }, () => {
      for (let line = 0; line < 2; line++) logger.info('GET /orders 200', facts);
    });
  }
  const { direct, made, count } = lines();
  expect(direct).toBe(made);
  expect(count).toBe(1);
});

test('a fact with another value than the id of that name is not written at once', () => {
  const { either, slow, lines } = pair();
  for (const logger of [either, slow]) {
    runWithContext({ sessionId: 'e1be-2' }, () => {
      for (let line = 0; line < 2; line++) logger.info('GET /orders 200', { sessionId: 'e1be-3' });
    });
  }
  const { direct, made, count } = lines();
  expect(direct).toBe(made);
  expect(count).toBe(0);
});

test('a text that is too long for a line is cut, also beside others that are not', () => {
  const { either, slow, lines } = pair();
  either.info('learns', { a: 'x', b: 'y' });
  for (const logger of [either, slow]) logger.info('m', { a: 'x'.repeat(9_000), b: 'y' });
  expect(lines().direct).toBe(lines().made);
});

test('a fact that would give the record another prototype is written, in a child too', () => {
  const { either, slow, lines } = pair();
  const facts = JSON.parse('{"__proto__":{"name":"stolen"},"a":1}');
  for (const logger of [either, slow]) logger.child(facts).info('m', facts);
  expect(lines().direct).toBe(lines().made);
  expect(lines().direct).toContain('"facts":{"__proto__":{"name":"stolen"}}');
});

test('a key that a secret was under is never written at once', () => {
  const keys = new PlainKeys(new Set());
  const mask = (given: unknown) => given;
  keys.learn({ pin: '1234', city: 'Bern' }, { pin: '[masked]', city: 'Bern' });
  keys.learn({ pin: '[masked]' }, { pin: '[masked]' });
  const lines = new DirectLines({}, keys, mask);
  expect(lines.lineOf('info', 'm', { pin: '1234' })).toBeUndefined();
  expect(lines.lineOf('info', 'm', { city: 'Bern' })).toContain('"city":"Bern"');
});

test('each line has the time of its own millisecond', () => {
  const { either, lines } = pair();
  const timeOf = (): unknown => {
    either.info('tick');
    return JSON.parse(lines().direct ?? '').time;
  };
  expect(timeOf()).toBe('2026-01-02T03:04:05.678Z');
  expect(timeOf()).toBe('2026-01-02T03:04:05.678Z');
  vi.setSystemTime(new Date('2026-01-02T03:04:05.679Z'));
  expect(timeOf()).toBe('2026-01-02T03:04:05.679Z');
});
