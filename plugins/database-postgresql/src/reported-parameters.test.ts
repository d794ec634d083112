import { createTestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService } from '@keelson/test-support/postgresql-service';
import { queryOnce } from '@keelson/test-support/query-once';
import { Author } from '@keelson/test-support/sample-model';
import { startTestService } from '@keelson/test-support/test-service';
import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { expect, test } from 'vitest';

const Moment = defineEntity({
  name: 'Moment',
  properties: {
    id: p.integer().primary(),
    day: p.date(),
    at: p.datetime(),
    local: p.datetime().columnType('timestamp'),
    lasts: p.string().columnType('interval'),
    text: p.text(),
  },
});

const at = new Date('2024-02-03T04:05:06.789Z');
const moment = { id: 1, day: '2024-02-03', at, local: at, lasts: '1 day 02:03:04', text: "\\ ' \\' \\\\" };

test.each([
  "datestyle = 'SQL, DMY'",
  "datestyle = 'German'",
  "datestyle = 'Postgres, MDY'",
  "intervalstyle = 'iso_8601'",
  "intervalstyle = 'sql_standard'",
  'standard_conforming_strings = off',
])('values are read as they were stored from a database with %s, over a connection that is kept', async setting => {
  await using testDatabase = await createTestDatabase();
  await using orm = await MikroORM.init({ clientUrl: testDatabase.url, entities: [Moment] });
  await orm.schema.create();
  await queryOnce(
    testDatabase.url,
    `do $$ begin execute format('alter database %I set ${setting.replaceAll("'", "''")}', current_database()); end $$`,
  );
  await using service = await connectPostgresqlService({ url: testDatabase.url, models: [{ entities: [Moment] }] });
  const { database } = service;
  await database.session(async em => void em.create(Moment, moment));
  const read = () => database.read(em => em.findOneOrFail(Moment, 1));
  for (const _ of [1, 2]) {
    const { day, at: read1, local, text, lasts } = await read();
    expect({ day, at: read1, local, text }).toEqual({ day: moment.day, at, local: at, text: moment.text });
    expect(lasts).toMatchObject({ days: 1, hours: 2, minutes: 3, seconds: 4 });
  }
  expect(database.stats().counters.discarded).toEqual({});
  expect(await database.read(em => em.execute("select '03/02/2024'::date::text as day"))).toEqual([
    { day: setting.includes('MDY') || !setting.includes('datestyle') ? '2024-03-02' : '2024-02-03' },
  ]);
});

test.each([
  ['DateStyle', "set local datestyle = 'German'"],
  ['DateStyle', "select set_config('datestyle', 'SQL, DMY', true)"],
  ['IntervalStyle', "set intervalstyle = 'iso_8601'"],
  ['client_encoding', "set local client_encoding = 'LATIN1'"],
  ['client_encoding', "set names 'LATIN1'"],
  ['standard_conforming_strings', 'do $$ begin set local standard_conforming_strings = off; end $$'],
])('a session that changes %s stores nothing, and the next one reads what is there: %s', async (setting, sql) => {
  await using service = await startTestService();
  const { database } = service;
  const changing = database.session(async em => {
    await em.insert(Author, { email: 'lost' });
    await em.execute(sql).catch(() => {});
    await em.insert(Author, { email: 'é€' });
  });
  await expect(changing).rejects.toThrow();
  const alone = database.session(em => em.execute(sql));
  await expect(alone).rejects.toMatchObject({ code: 'DATABASE_FORMAT_CHANGED', facts: { setting } });
  await database.session(em => em.insert(Author, { email: 'é€' }));
  const authors = await database.read(em => em.find(Author, {}));
  expect(authors.map(({ email }) => email)).toEqual(['é€']);
});

test('a state that a function raises itself does not count as that of a prepared statement', async () => {
  await using testDatabase = await createTestDatabase();
  await using service = await connectPostgresqlService({ url: testDatabase.url });
  const { database } = service;
  let attempts = 0;
  const raising = database.session(em => {
    attempts += 1;
    return em.execute("do $$ begin raise exception 'own' using errcode = '26000'; end $$");
  });
  await expect(raising).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED', facts: { sqlState: '26000' } });
  expect(attempts).toBe(1);
});
