import { expect, test } from 'vitest';
import { errorKindOf } from './error-kind.js';
import { KeelsonError } from './keelson-error.js';

test.each([
  [
    'the code of a KeelsonError',
    new KeelsonError({ code: 'DATABASE_DOWN', message: 'No.', hint: 'Look.' }),
    'DATABASE_DOWN',
  ],
  ['the code of the system', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  ['an SQLSTATE', Object.assign(new Error('taken'), { code: '23505' }), '23505'],
  ['the class of another error', new TypeError('x is not a function'), 'TypeError'],
  ['the class, where the code may be a value of a user', Object.assign(new Error('no'), { code: 'a b@c' }), 'Error'],
  ['nothing, where the class may be one too', Object.assign(new Error('no'), { name: 'user 7 is gone' }), '_OTHER'],
  ['nothing of a thrown text', 'secret', '_OTHER'],
  ['nothing of undefined', undefined, '_OTHER'],
  [
    'nothing of an error that cannot be read',
    new Proxy(new Error('x'), {
      get: () => {
        throw new Error('no');
      },
    }),
    '_OTHER',
  ],
])('the kind of an error is %s', (_what, error, kind) => {
  expect(errorKindOf(error)).toBe(kind);
});
