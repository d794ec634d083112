import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isKeelsonError, KeelsonError } from '../contract/keelson-error.js';
import { addSecret } from './known-secrets.js';
import { maskSecretsIn, maskTextsIn } from './mask-values.js';
import { addSecretField } from './secret-fields.js';

const secret = 'kEpt-out-of-lines';
addSecret(secret);

test('a value without a secret is returned unchanged', () => {
  fc.assert(fc.property(fc.object({ maxDepth: 4 }), value => maskSecretsIn(value) === value));
  const date = new Date();
  for (const value of [date, new Error('x'), new Map([[1, 2]]), new Uint8Array(2), new URL('http://a'), null, 1n]) {
    expect(maskSecretsIn(value)).toBe(value);
  }
});

test('it is masked in every kind of value, and the original stays', () => {
  const cyclic: Record<string, unknown> = { secret };
  cyclic.self = cyclic;
  const values = {
    list: [{ deep: [`a ${secret} b`] }],
    map: new Map([[secret, new Set([secret])]]),
    url: new URL(`http://a/?q=${secret}`),
    json: { toJSON: () => ({ secret }) },
    error: new Error(`of ${secret}`, { cause: new AggregateError([new Error(secret)], 'x') }),
    cyclic,
  };
  const shown = inspect(maskSecretsIn(values), { depth: 20, showHidden: true });
  expect(shown).toContain('[masked]');
  expect(shown).not.toContain(secret);
  expect(values.list[0]?.deep[0]).toBe(`a ${secret} b`);
});

test('an error stays one of its class, with its stack', () => {
  const error = new KeelsonError({ code: 'A_B', message: `no ${secret}`, facts: { secret } });
  const safe = maskSecretsIn(error);
  expect(isKeelsonError(safe, 'A_B')).toBe(true);
  expect(safe).toBeInstanceOf(KeelsonError);
  expect(safe).toMatchObject({ message: 'no [masked]', facts: { secret: '[masked]' } });
  expect(safe.stack).toContain('KeelsonError: no [masked]\n    at ');
  expect(error.message).toContain(secret);
});

test('a field of a configuration that is a secret is masked in that very object, however short it is', () => {
  const config = { pin: '12', url: 'x', unset: undefined };
  addSecretField(config, 'pin');
  addSecretField(config, 'unset');
  expect(maskSecretsIn({ config })).toEqual({ config: { pin: '[masked]', url: 'x', unset: undefined } });
  expect(maskSecretsIn({ pin: '12' })).toEqual({ pin: '12' });
});

test('nothing hostile makes it throw, and nothing endless keeps it', () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const getter = Object.defineProperty({ secret }, 'broken', {
    enumerable: true,
    get: () => {
      throw new Error('no');
    },
  });
  let deep: unknown = secret;
  for (let level = 0; level < 10_000; level++) deep = { deep };
  const shown = inspect(maskSecretsIn({ revoked: revoked.proxy, deep, json: { toJSON: () => revoked.proxy } }), {
    depth: 20,
  });
  expect(shown).not.toContain(secret);
  expect(Reflect.get(maskSecretsIn(getter), 'secret')).toBe('[masked]');
});

test('entries beyond the limit are counted, and not shown', () => {
  const list = Array.from({ length: 100_002 }, () => secret);
  expect(maskSecretsIn(list).slice(-2)).toEqual(['[masked]', '… 2 more']);
  const shown = maskSecretsIn({ list, after: secret, and: { secret } });
  expect(JSON.stringify(shown)).not.toContain(secret);
  expect(shown).toMatchObject({ '…': '2 more' });
});

test('the copy says of a getter that throws that it is unreadable', () => {
  const value = Object.defineProperty({ secret }, 'broken', {
    enumerable: true,
    get: () => {
      throw new Error('no');
    },
  });
  expect(maskSecretsIn(value)).toEqual({ secret: '[masked]', broken: '[Unreadable]' });
});

test('with the option, every secret inside a text is masked, and the rest is returned unchanged', () => {
  const problem = { message: 'no postgresql://me:hunter2@db/x', origin: { from: 'variable', name: 'token=hunter2' } };
  expect(maskSecretsIn(problem)).toBe(problem);
  expect(maskTextsIn(problem)).toEqual({
    message: 'no postgresql://[masked]@db/x',
    origin: { from: 'variable', name: 'token=[masked]' },
  });
  const plain = { message: 'postgresql://db/x', list: [1, null] };
  expect(maskTextsIn(plain)).toBe(plain);
});
