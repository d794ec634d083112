import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeelsonError } from '../contract/keelson-error.js';
import { createMask } from './create-mask.js';
import { describeError } from './describe-error.js';

const mask = createMask();

describe('a mask', () => {
  test('makes JSON of any value, and never throws', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withSparseArray: true,
          withTypedArray: true,
          withNullPrototype: true,
          withObjectString: true,
        }),
        value => {
          JSON.stringify(mask(value));
        },
      ),
    );
  });

  test('writes what JSON cannot', () => {
    expect(mask({ id: 9_007_199_254_740_993n, at: new Date(0), never: new Date(Number.NaN), nan: Number.NaN })).toEqual(
      {
        id: '9007199254740993',
        at: '1970-01-01T00:00:00.000Z',
        never: 'Invalid Date',
        nan: 'NaN',
      },
    );
    expect(mask([Symbol('s'), () => 1, new Uint8Array(3), new Set([1]), new Map([['a', 1]]), undefined])).toEqual([
      'Symbol(s)',
      '[Function]',
      '[Uint8Array of 3 bytes]',
      [1],
      { a: 1 },
      null,
    ]);
  });

  test('names a cycle and repeats what is only shared', () => {
    const shared = { a: 1 };
    const cyclic: Record<string, unknown> = { first: shared, second: shared };
    cyclic.self = cyclic;
    expect(mask(cyclic)).toEqual({ first: { a: 1 }, second: { a: 1 }, self: '[Circular]' });
  });

  test('goes on after a getter, a toJSON or a proxy that throws', () => {
    const fail = () => {
      throw new Error('no');
    };
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const broken = Object.defineProperty({ fine: 1, json: { toJSON: fail }, proxy: revoked.proxy }, 'getter', {
      enumerable: true,
      get: fail,
    });
    expect(mask(broken)).toEqual({ fine: 1, json: '[Unreadable]', proxy: '[Unreadable]', getter: '[Unreadable]' });
  });

  test('keeps a key called __proto__ a key', () => {
    const copied = mask(JSON.parse('{"__proto__":{"polluted":true}}'));
    expect(JSON.stringify(copied)).toBe('{"__proto__":{"polluted":true}}');
    expect(Reflect.get(Object(copied), 'polluted')).toBeUndefined();
  });

  test('cuts long strings, wide objects, deep ones and too many values, and says so', () => {
    expect(mask('x'.repeat(10_000))).toBe(`${'x'.repeat(8_192)}… (1808 characters more)`);
    expect(mask(Array.from({ length: 150 }, () => 1))).toHaveLength(101);
    expect(JSON.stringify(mask(Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`k${i}`, i]))))).toContain(
      '"…":"50 more"',
    );
    let deep: unknown = 'bottom';
    for (let level = 0; level < 20; level++) deep = { deep };
    expect(JSON.stringify(mask(deep))).toContain('[Too deep]');
    const wide = Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => 'value'));
    expect(JSON.stringify(mask(wide)).match(/value/g)?.length).toBeLessThan(2_000);
  });

  test.each([
    'password',
    'accessToken',
    'token_hash',
    'X-API-Key',
    'accesstoken',
    'set-cookie',
    'Authorization',
    'DB_PASSWORD',
    'dsn',
    'clientSecret',
  ])('masks %s at any depth', key => {
    expect(mask({ a: [{ [key]: { nested: 'hush' } }] })).toEqual({ a: [{ [key]: '[masked]' }] });
  });

  test.each(['tokenizer', 'secretary', 'passed', 'sessionId', 'author', 'cookiecutter'])('does not mask %s', key => {
    expect(mask({ [key]: 'shown' })).toEqual({ [key]: 'shown' });
  });

  test('masks keys asked for beyond its own', () => {
    expect(createMask({ secretKeys: ['nationalNumber'] })({ national_number: 1, password: 2 })).toEqual({
      national_number: '[masked]',
      password: '[masked]',
    });
  });

  test.each([
    ['connecting to postgres://orders:hu/sh@db:5432/orders', 'hu/sh'],
    ['connecting to postgres://orders:hush@db:5432/orders', 'hush'],
    ['https://public@sentry.example/1', 'public'],
    ['Authorization: Bearer hushhushhush', 'hushhushhush'],
    ['GET /callback?access_token=hush&state=1', 'hush'],
    ['{"password":"hush"}', 'hush'],
    ['host=db password=hush dbname=orders', 'hush'],
    ['PUT https://store.example/a?X-Amz-Expires=60&X-Amz-Signature=hush', 'hush'],
    ['GET https://store.example/a?sig=hush&se=1', 'hush'],
  ])('masks the credentials in %s', (text, secret) => {
    expect(mask(text)).not.toContain(secret);
    expect(mask(new Error(text))).not.toMatchObject({ stack: expect.stringContaining(secret) });
  });

  test('leaves text without credentials as it is', () => {
    const help = 'Written as postgresql://user:password@host:5432/database?application_name=signature=1&design=x';
    expect(mask(help)).toBe(help);
    const text = 'GET https://shop.example:8080/orders?limit=10 answered 503: "a=b", me@example.org, Basic idea';
    expect(mask(text)).toBe(text);
  });

  test('masks long hostile text in time that grows with its length', () => {
    const startedAt = performance.now();
    for (const piece of ['a', 'a:', '://', 'a=', '"', 'Bearer ', 'a@', '?', '&sig', '?a-']) mask(piece.repeat(100_000));
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

describe('a described error', () => {
  test('has code, hint, facts, stack and its causes', () => {
    const root = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', port: 5432, query: 'select 1' });
    const error = new KeelsonError({
      code: 'AREA_WHAT',
      message: 'No answer.',
      hint: 'Start it.',
      facts: { attempts: 3n, password: 'hush' },
      cause: root,
    });
    expect(describeError(error)).toEqual({
      name: 'KeelsonError',
      message: 'No answer.',
      code: 'AREA_WHAT',
      hint: 'Start it.',
      facts: { attempts: '3', password: '[masked]' },
      stack: expect.stringContaining('No answer.'),
      cause: {
        name: 'Error',
        message: 'refused',
        code: 'ECONNREFUSED',
        port: 5432,
        stack: expect.stringContaining('refused'),
      },
    });
  });

  test('has those of an AggregateError and of a SuppressedError', () => {
    expect(describeError(new AggregateError([new Error('one'), 'two'], 'all failed'))).toMatchObject({
      errors: [{ message: 'one' }, 'two'],
    });
    const suppressed = new SuppressedError(new Error('on the way out'), new Error('before'), 'both');
    expect(describeError(suppressed)).toMatchObject({
      error: { message: 'on the way out' },
      suppressed: { message: 'before' },
    });
  });

  test('names an error that is its own cause', () => {
    const error = new Error('loop');
    error.cause = error;
    expect(describeError(error)).toMatchObject({ message: 'loop', cause: '[Circular]' });
  });

  test('holds no statement, parameters, row or refused value of a database error', () => {
    const error = Object.assign(new Error('invalid input syntax for type integer: "hush"'), {
      code: '22P02',
      severity: 'ERROR',
      detail: 'Key (email)=(hush) already exists.',
      where: "unnamed portal parameter $1 = 'hush'",
      query: "select 'hush'",
      parameters: ['hush'],
      constraint: 'users_email_key',
    });
    const described = describeError(error);
    expect(JSON.stringify(described)).not.toContain('hush');
    expect(described).toMatchObject({ code: '22P02', severity: 'ERROR', constraint: 'users_email_key' });
  });

  test('holds no row that a library has written into the message, as MikroORM does, also in a cause', () => {
    const detail = 'Key (email)=(hush) already exists.';
    const error = Object.assign(new Error(`duplicate key value\n - detail: ${detail}`), { code: '23505', detail });
    const described = describeError(new AggregateError([new Error('Could not save', { cause: error })]));
    expect(JSON.stringify(described)).not.toContain('hush');
    expect(JSON.stringify(described)).toContain('duplicate key value');
  });

  test.each([
    ['a string', 'just text', 'just text'],
    ['undefined', undefined, 'undefined'],
    ['an object', { a: 1 }, '{"a":1}'],
    ['null', null, 'null'],
  ])('is made of %s too', (_name, thrown, message) => {
    expect(describeError(thrown)).toEqual({ name: 'NonError', message });
  });

  test('survives an error whose every property throws', () => {
    const hostile = new Proxy(new Error('no'), {
      get() {
        throw new Error('never');
      },
    });
    expect(JSON.stringify(describeError(hostile))).toBeTypeOf('string');
  });
});
