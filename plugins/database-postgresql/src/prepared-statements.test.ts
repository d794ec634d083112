import type { Clock } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import type { DatabaseService } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PreparedStatements } from './prepared-statements.js';

describe('a connection prepares statements', () => {
  let testDatabase: TestDatabase;
  let admin: pg.Client;
  let service: PostgresqlService;
  let database: DatabaseService;

  async function open(preparedStatements: number, max = 1): Promise<void> {
    service = await connectPostgresqlService({ url: testDatabase.url, options: { pool: { max, preparedStatements } } });
    database = service.database;
    await database.migrate();
  }

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    admin = new pg.Client(testDatabase.adminUrl);
    await admin.connect();
  });
  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    await admin.end();
    await testDatabase[Symbol.asyncDispose]();
  });

  const find = (email: string) => database.session(em => em.findOne(Author, { email }));
  const prepared = async (): Promise<string[]> => {
    const sql = 'select statement from pg_prepared_statements order by prepare_time';
    const rows = await database.session(em => em.execute<{ statement: string }[]>(sql));
    return rows.map(({ statement }) => statement).filter(statement => statement.includes('author'));
  };

  test('that come again, with values that differ', async () => {
    await open(100);
    await find('a@example.org');
    expect(await prepared()).toEqual([]);
    await find('b@example.org');
    await find('c@example.org');
    expect(await prepared()).toEqual([expect.stringMatching(/where "a0"."email" = \$1 limit \$2$/)]);
  });

  test('no more than `pool.preparedStatements`, the least recently used replaced first', async () => {
    await open(8);
    const select = (columns: number) =>
      database.session(em => em.execute(`select ${'id, '.repeat(columns)}email from author where email = ?`, ['a']));
    for (let columns = 0; columns < 20; columns++) {
      await select(columns);
      await select(columns);
      await select(0);
    }
    const kept = await prepared();
    expect(kept.length).toBeLessThanOrEqual(8);
    expect(kept).toContain('select email from author where email = $1');
  });

  test('none with `pool.preparedStatements: 0`', async () => {
    await open(0);
    for (let uses = 0; uses < 3; uses++) await find('a@example.org');
    expect(await prepared()).toEqual([]);
  });

  test('one for each type that a value has', async () => {
    await open(100);
    const texts: unknown[] = [];
    for (const value of [1, 1, 2.5, 2.5, 2 ** 40, 2 ** 40]) {
      const sql =
        'select pg_typeof(n)::text as type from author right join (select 1) one on true cross join lateral (select 0 + ? as n) typed';
      texts.push(...(await database.session(em => em.execute(sql, [value]))));
    }
    expect(texts).toEqual(['integer', 'integer', 'numeric', 'numeric', 'bigint', 'bigint'].map(type => ({ type })));
  });

  describe('and its callers notice nothing when', () => {
    const twice = async () => {
      await find('a@example.org');
      await find('a@example.org');
    };

    test('a table gets a column: the first statement of a session is sent again', async () => {
      await open(100);
      await twice();
      await admin.query('alter table author add column nickname text');
      let attempts = 0;
      await database.session((em, session) => {
        attempts = session.attempt;
        return em.findOne(Author, { email: 'a@example.org' });
      });
      expect(attempts).toBe(1);
    });

    test('a table gets a column in the middle of a session: its unit runs again', async () => {
      await open(100);
      await twice();
      let attempts = 0;
      await database.session(async (em, session) => {
        attempts = session.attempt;
        await em.execute('select 1 as one');
        if (session.attempt === 1) await admin.query('alter table author add column nickname text');
        await em.findOne(Author, { email: 'a@example.org' });
      });
      expect(attempts).toBe(2);
    });

    test('a table gets a column, on the other connections too: one notices for all', async () => {
      await open(100, 3);
      const together = () =>
        Promise.all(
          [1, 2, 3].map(() =>
            database.session(async em => {
              await em.execute('select pg_sleep(0.05)');
              return em.findOne(Author, { email: 'a@example.org' });
            }),
          ),
        );
      await together();
      await together();
      await admin.query('alter table author add column nickname text');
      await find('a@example.org');
      await find('a@example.org');
      let attempts = 0;
      await Promise.all(
        [1, 2, 3].map(() =>
          database.session(async em => {
            attempts += 1;
            await em.execute('select pg_sleep(0.05)');
            await em.findOne(Author, { email: 'a@example.org' });
          }),
        ),
      );
      expect(attempts).toBe(3);
    });

    describe('a column gets another type, which the server does not look for', () => {
      const name = (value: string) =>
        database.session(em => em.execute('update typed set value = ? where value <> ?', [value, value]));

      test.each([
        ['a wider one', 'int', 'alter column value type bigint', '5', '3000000000'],
        ['a text', 'int', 'alter column value type text', '5', 'five'],
        [
          'an enum made again',
          'mood',
          "alter column value type text; drop type mood; create type mood as enum ('sad', 'new');" +
            'alter table typed alter column value type mood using value::mood',
          'sad',
          'new',
        ],
      ])('%s: the statement is sent again', async (_, type, change, before, after) => {
        await open(100);
        await admin.query(`create type mood as enum ('sad'); create table typed (value ${type})`);
        await admin.query('grant all on typed to public');
        for (let uses = 0; uses < 3; uses++) await name(before);
        await admin.query(`alter table typed ${change}`);
        for (let uses = 0; uses < 3; uses++) await name(after);
      });

      test.each([
        ['timestamp', 'timestamptz', '2026-01-01 10:00:00+05'],
        ['timestamptz', 'timestamp', '2026-01-01 10:00:00+05'],
        ['date', 'timestamp', '2026-01-01 10:00:00'],
        ['time', 'text', '10:00:00.123456789'],
        ['real', 'float8', '0.123456789012345'],
        ['float8', 'numeric', '0.12345678901234567890'],
        ['char(3)', 'text', 'a  '],
        ['date[]', 'timestamp[]', '{2026-01-01 10:00:00}'],
      ])('from %s to %s: a value is stored as its literal says', async (before, after, value) => {
        await admin.query(`do $$ begin execute format('alter database %I set timezone to %L', current_database(),
          'Asia/Tokyo'); end $$`);
        await open(100);
        await admin.query(`create table typed (value ${before}); grant all on typed to public`);
        const insert = () => database.session(em => em.execute('insert into typed values (?)', [value]));
        for (let uses = 0; uses < 3; uses++) await insert().catch(() => {});
        await admin.query(`truncate typed; alter table typed alter column value type ${after} using null`);
        await insert();
        const { rows } = await admin.query(`select value::text, ('${value}'::${after})::text as literal from typed`);
        expect(rows).toEqual([{ value: rows[0].literal, literal: rows[0].literal }]);
      });

      test('in a session of the same service: statements are parsed again', async () => {
        await open(100);
        await twice();
        expect(await prepared()).toHaveLength(1);
        await database.session(em => em.execute('alter table author add column nickname text'));
        expect(await prepared()).toEqual([]);
      });

      test('in the middle of a session: its unit runs again', async () => {
        await open(100);
        await admin.query("create type mood as enum ('sad'); create table typed (value mood)");
        await admin.query('grant all on typed to public');
        let attempts = 0;
        const inTheMiddle = (value: string) =>
          database.session(async (em, session) => {
            attempts = session.attempt;
            await em.execute('select 1 as one');
            await em.execute('update typed set value = ?', [value]);
          });
        for (let uses = 0; uses < 3; uses++) await inTheMiddle('sad');
        await admin.query('alter table typed alter column value type text; drop type mood');
        await inTheMiddle('new');
        expect(attempts).toBe(2);
      });
    });

    test('a value is refused: the error is that of the server, each time', async () => {
      await open(100);
      const named = (id: string) => database.session(em => em.execute('select id from author where id = ?', [id]));
      for (let uses = 0; uses < 3; uses++) await named('1');
      for (let uses = 0; uses < 3; uses++)
        await expect(named('none')).rejects.toMatchObject({
          code: 'DATABASE_QUERY_FAILED',
          facts: { sqlState: '22P02' },
        });
    });

    test('a value does not fit the type that its column had, in the middle of a session: it is refused once', async () => {
      await open(100);
      await admin.query('create table typed (size int); grant all on typed to public');
      const inTheMiddle = (size: string) =>
        database.session(async em => {
          await em.execute('select 1 as one');
          await em.execute('update typed set size = ?', [size]);
        });
      for (let uses = 0; uses < 3; uses++) await inTheMiddle('5');
      await admin.query('alter table typed alter column size type bigint');
      await expect(inTheMiddle('3000000000')).rejects.toMatchObject({ facts: { sqlState: '22003' } });
      await inTheMiddle('3000000000');
    });

    test.each(['deallocate all', 'discard plans'])('a session has run %s', async command => {
      await open(100);
      await twice();
      await database
        .session(async em => {
          await em.execute(command);
          await em.findOne(Author, { email: 'a@example.org' });
        })
        .catch(error => expect.unreachable(String(error)));
      await find('a@example.org');
    });

    test('a session has run deallocate all in its middle: its unit does not run again', async () => {
      await open(100);
      await twice();
      let attempts = 0;
      await database.session(async (em, { attempt }) => {
        attempts = attempt;
        await em.findOne(Author, { email: 'a@example.org' });
        await em.execute('deallocate all');
        await em.findOne(Author, { email: 'b@example.org' });
      });
      expect(attempts).toBe(1);
    });

    test('a statement fails the first time it is parsed, and after it was prepared', async () => {
      await open(100);
      const insert = (email: string) => database.session(em => em.insert(Author, { email }));
      await insert('a@example.org');
      for (let uses = 0; uses < 3; uses++) await expect(insert('a@example.org')).rejects.toThrow();
      await insert('b@example.org');
      await expect(
        database.session(em => em.execute('select nothing from author where email = ?', ['a'])),
      ).rejects.toThrow();
      await expect(
        database.session(em => em.execute('select nothing from author where email = ?', ['a'])),
      ).rejects.toThrow();
      expect(await database.session(em => em.count(Author))).toBe(2);
    });

    test('one text comes twice in one session before it was ever answered', async () => {
      await open(100);
      const found = await database.session(em =>
        Promise.all(
          [1, 2, 3].map(() => em.fork({ keepTransactionContext: true }).findOne(Author, { email: 'a@example.org' })),
        ),
      );
      expect(found).toEqual([null, null, null]);
    });
  });
});

describe('what one connection knows of a prepared statement', () => {
  const statement = { sql: 'select 1', recurs: true };
  const known = (clock: Clock) =>
    new PreparedStatements({ most: 10, clock, staleness: { count: 0 }, timeZone: () => 'UTC' });

  test('its name, for half a minute: then it is parsed again', async () => {
    const clock = new FakeClock();
    const statements = known(clock);
    statements.use(statement);
    const used = statements.use(statement);
    expect(used && statements.name(used)).toBe('keelson_1');
    await clock.advance(30_000);
    expect(statements.use(statement)?.name).toBe('keelson_1');
    await clock.advance(1);
    expect(statements.use(statement)?.name).toBe('');
    expect(statements.takeClosing()).toEqual(['keelson_1']);
  });

  test.each([
    ['a parameter that the server takes for a date', [1082], [], undefined],
    ['one that was given as a date', [1082], [1082], 'keelson_1'],
    ['one that the server takes for a text', [25], [0], 'keelson_1'],
  ])('%s', (_, types, given, name) => {
    const statements = known(new FakeClock());
    statements.use(statement);
    const used = statements.use(statement) ?? expect.unreachable();
    statements.name(used);
    statements.described(used, types, given);
    expect(statements.use(statement)?.name).toBe(name);
  });
});
