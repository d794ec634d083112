import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { QueryError, type QueryErrorKind } from './query-error.js';

const kinds: readonly (readonly [sqlState: string, kind: QueryErrorKind, status: number | undefined])[] = [
  ['23505', 'unique', 409],
  ['23503', 'foreign-key', 409],
  ['23001', 'foreign-key', 409],
  ['23502', 'not-null', 422],
  ['23514', 'check', 422],
  ['23P01', 'exclusion', 409],
  ['40001', 'serialization', 409],
  ['40P01', 'deadlock', 409],
  ['55P03', 'lock-timeout', 503],
  ['57014', 'statement-timeout', 503],
  ['25006', 'read-only', undefined],
  ['53100', 'disk-full', 503],
  ['53200', 'out-of-resources', 503],
  ['08001', 'foreign-server', 503],
  ['08P01', 'other', undefined],
  ['44000', 'check', 422],
  ['54000', 'too-large', 422],
  ['54001', 'too-large', 422],
  ['22021', 'invalid-value', 422],
  ['42501', 'insufficient-privilege', undefined],
  ['42P01', 'undefined-table', undefined],
  ['42703', 'undefined-column', undefined],
  ['42601', 'syntax', undefined],
  ['22P02', 'invalid-value', 422],
  ['22003', 'invalid-value', 422],
  ['P0001', 'other', undefined],
];

const fault = (facts: object) =>
  Object.assign(new Error('insert into t values (secret)'), {
    severity: 'ERROR',
    detail: 'Key (email)=(secret) already exists.',
    where: 'secret',
    parameters: ['secret'],
    ...facts,
  });

describe('a refusal of the server', () => {
  for (const [code, kind, status] of kinds) {
    test(`${code} is of kind ${kind}${status === undefined ? ', and none of a user’s business' : `, and answered with ${status}`}`, () => {
      const error = new QueryError(fault({ code }));
      expect(error).toMatchObject({ code: 'DATABASE_QUERY_FAILED', kind, facts: { kind, sqlState: code } });
      expect(error.http?.status).toBe(status);
      expect(error.message).toContain(code);
      expect(error.hint).toMatch(/\S/);
    });
  }

  test('names constraint, column and table in its sentence and its facts', () => {
    const names = { schema: 'public', table: 'author', column: 'email', constraint: 'author_email' };
    const error = new QueryError(fault({ code: '23505', ...names }));
    expect(error.facts).toMatchObject(names);
    expect(error.message).toBe(
      'A unique constraint was violated: constraint author_email, column email, table author (SQLSTATE 23505).',
    );
  });

  test('says that a migration which no plugin names does not run', () => {
    for (const code of ['42P01', '42703']) {
      expect(new QueryError(fault({ code })).hint).toMatch(/keelson migrate up.* only those .*DatabaseModel/);
    }
  });

  test('has neither values nor SQL in it, however deep one looks', () => {
    const error = new QueryError(fault({ code: '23505', table: 'author' }));
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('secret');
    expect(JSON.stringify(error)).not.toContain('secret');
    expect(JSON.stringify(error.http)).not.toMatch(/secret|author/);
    expect(error.cause).toMatchObject({ code: '23505', severity: 'ERROR' });
  });

  test('says when something can be tried again', () => {
    for (const code of ['40001', '40P01', '55P03']) {
      expect(new QueryError(fault({ code })).http?.retryAfterMs).toBeGreaterThan(0);
    }
    expect(new QueryError(fault({ code: '23505' })).http?.retryAfterMs).toBeUndefined();
  });

  test('carries what else is known of it', () => {
    const error = new QueryError(fault({ code: '23505' }), { itemIndex: 3 });
    expect(error.facts.itemIndex).toBe(3);
    expect(error.message).toContain('item 3');
    expect(new QueryError(fault({ code: '23505' }), { firstItem: 4, lastItem: 9 }).message).toContain('items 4 to 9');
  });

  test('without a SQLSTATE is of kind other', () => {
    expect(new QueryError(new Error('what')).facts).toEqual({ kind: 'other' });
  });
});
