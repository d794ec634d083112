import { createTestDatabase } from '@keelson/test-support/database';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { LockRow } from './lock-row.js';
import type { Ask } from './migration-table.js';

const table = { quotedSchema: '"public"', quotedName: '"public"."migrations"' };

/** A server on which the table is missing, and its creation fails with these SQLSTATEs, one after the other. */
function serverThat(...refuses: readonly string[]): { readonly ask: Ask; readonly asked: string[] } {
  const left = [...refuses];
  const asked: string[] = [];
  const ask: Ask = async sql => {
    asked.push(sql);
    if (sql.startsWith('select')) return [{ schema: true, table: false }];
    const code = sql.startsWith('create table') ? left.shift() : undefined;
    if (code !== undefined) throw Object.assign(new Error('refused'), { code });
    return [];
  };
  return { ask, asked };
}

describe('the row that is locked while a database is migrated', () => {
  test.each([
    ['a unique index of the catalogs', '23505'],
    ['the table', '42P07'],
    ['the row type of the table', '42710'],
    ['the schema', '42P06'],
    ['a conflict of serializable transactions', '40001'],
  ])('is made although another instance makes it at the same moment: %s', async (_what, code) => {
    const { ask, asked } = serverThat(code);
    await new LockRow(table).make(ask);
    expect(asked.filter(sql => sql.startsWith('create table'))).toHaveLength(2);
    expect(asked.at(-1)).toContain('insert into "public"."migrations_lock"');
  });

  test('is not made without end', async () => {
    const { ask, asked } = serverThat('42710', '42710', '42710', '42710', '42710', '42710');
    await expect(new LockRow(table).make(ask)).rejects.toMatchObject({ code: '42710' });
    expect(asked.filter(sql => sql.startsWith('create table'))).toHaveLength(5);
  });

  test('is not made again when the server refuses it for another reason', async () => {
    const { ask, asked } = serverThat('42501');
    await expect(new LockRow(table).make(ask)).rejects.toMatchObject({ code: '42501' });
    expect(asked.filter(sql => sql.startsWith('create table'))).toHaveLength(1);
  });

  test('is made by eight instances at the same moment, on a real server, round after round', async () => {
    await using database = await createTestDatabase();
    await using clients = new AsyncDisposableStack();
    const asks = await Promise.all(
      Array.from({ length: 8 }, async (): Promise<Ask> => {
        const client = new pg.Client({ connectionString: database.url });
        await client.connect();
        clients.defer(() => client.end());
        return async (sql, parameters = []) => (await client.query(sql, [...parameters])).rows;
      }),
    );
    for (let round = 0; round < 60; round += 1) {
      const row = new LockRow({ ...table, quotedName: `"public"."migrations_${round}"` });
      await Promise.all(asks.map(ask => row.make(ask)));
    }
  });
});
