import pg from 'pg';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createTestDatabase } from './test-database.js';

const { url: server } = inject('databaseServer');

async function query(url: string, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** With a template of its own, which is dropped afterwards. */
function template() {
  const key = `test ${Math.random()}`;
  let made = 0;
  const prepare = async (url: string) => {
    made += 1;
    await query(url, "create table note (text text); insert into note values ('first')");
  };
  onTestFinished(async () => {
    const names = (await query(server, `select datname from pg_database where datname like 'keelson_template_%'`)) as {
      readonly datname: string;
    }[];
    for (const { datname } of names) await query(server, `drop database ${datname}`);
  });
  return { options: { server, key, prepare }, made: () => made };
}

test('the template is made once, also for those who ask at the same time, and each has a copy', async () => {
  const { options, made } = template();
  await using one = await createTestDatabase(options);
  const [two, three] = await Promise.all([createTestDatabase(options), createTestDatabase(options)]);
  await using _both = { [Symbol.asyncDispose]: async () => void (await Promise.all([two, three].map(drop))) };
  await query(one.url, `insert into note values ('second')`);
  expect(await query(one.url, 'select text from note')).toHaveLength(2);
  expect(await query(two.url, 'select text from note')).toEqual([{ text: 'first' }]);
  expect(await query(three.url, 'select text from note')).toHaveLength(1);
  expect(made()).toBe(1);
});

test('a template whose preparation fails is made again by the next call', async () => {
  const { options } = template();
  const failing = { ...options, prepare: async () => Promise.reject(new Error('not today')) };
  await expect(createTestDatabase(failing)).rejects.toThrow('not today');
  await expect(createTestDatabase(failing)).rejects.toThrow('not today');
  await using made = await createTestDatabase(options);
  expect(await query(made.url, 'select text from note')).toHaveLength(1);
});

test('without a template it is empty, and gone when it is disposed of', async () => {
  const database = await createTestDatabase({ server });
  expect(await query(database.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  await drop(database);
  await expect(query(database.url, 'select 1')).rejects.toThrow('does not exist');
});

function drop(database: AsyncDisposable): PromiseLike<void> {
  return database[Symbol.asyncDispose]();
}
