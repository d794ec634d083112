import { type DatabaseService, isQueryError } from '@keelson/database';
import { withRollback, withSandbox } from '@keelson/database/testing';
import { queryOnce } from '@keelson/test-support/query-once';
import { Author } from '@keelson/test-support/sample-model';
import { startTestService, type TestService } from '@keelson/test-support/test-service';
import { afterAll, beforeAll, expect, test } from 'vitest';

let service: TestService;
let database: DatabaseService;

beforeAll(async () => {
  service = await startTestService();
  database = service.database;
  await database.session(em =>
    em.execute('create table child (id int references author (id) deferrable initially deferred)'),
  );
});

afterAll(() => service[Symbol.asyncDispose]());

const insert = (email: string) => database.session(async em => void (await em.insert(Author, { email })));
const emails = () => database.read(async em => (await em.find(Author, {}, { orderBy: { id: 1 } })).map(a => a.email));

/** As another client sees it. */
async function stored(): Promise<number> {
  const rows = await queryOnce(service.testDatabase.adminUrl, 'select count(*)::int as count from author');
  return rows[0]?.count;
}

test('sessions commit, later ones see it, and nothing is stored', async () => {
  const called: string[] = [];
  await withSandbox(database, async () => {
    await database.session(async (em, session) => {
      session.onCommit(() => void called.push('committed'));
      await em.insert(Author, { email: 'ada@example.org' });
    });
    await using opened = await database.openSession();
    await opened.em.insert(Author, { email: 'grace@example.org' });
    await opened.commit();
    expect(await emails()).toEqual(['ada@example.org', 'grace@example.org']);
    expect(await stored()).toBe(0);
  });
  expect(called).toEqual(['committed']);
  expect(await emails()).toEqual([]);
});

test('a session that fails takes back what it did, and no more', async () => {
  await withSandbox(database, async () => {
    await insert('ada@example.org');
    const twice = insert('ada@example.org');
    await expect(twice).rejects.toSatisfy(error => isQueryError(error, { kind: 'unique' }));
    await expect(database.read(em => em.execute('select nothing'))).rejects.toThrow();
    const thrown = database.session(async em => {
      await em.insert(Author, { email: 'grace@example.org' });
      throw new Error('not today');
    });
    await expect(thrown).rejects.toThrow('not today');
    expect(await emails()).toEqual(['ada@example.org']);
  });
});

test('sessions at the same time wait for each other, and each commits', async () => {
  await withSandbox(database, async () => {
    const names = ['a', 'b', 'c', 'd', 'e'].map(letter => `${letter}@example.org`);
    await Promise.all(names.map(insert));
    expect((await emails()).toSorted()).toEqual(names);
  });
  expect(await stored()).toBe(0);
});

test('a read-only session may not write, and the next session may', async () => {
  await withSandbox(database, async () => {
    const writing = database.session(em => em.execute(`insert into author (email) values ('x')`), { readOnly: true });
    await expect(writing).rejects.toThrow();
    await insert('ada@example.org');
    expect(await emails()).toEqual(['ada@example.org']);
  });
});

test('a deferred constraint is checked when the session commits', async () => {
  await withSandbox(database, async () => {
    const orphan = database.session(em => em.execute('insert into child (id) values (4711)'));
    await expect(orphan).rejects.toSatisfy(error => isQueryError(error, { kind: 'foreign-key' }));
    await insert('ada@example.org');
    expect(await emails()).toEqual(['ada@example.org']);
  });
});

test('a deferred constraint is deferred in each session, also after one has committed', async () => {
  await withSandbox(database, async () => {
    for (const id of [4711, 4712]) {
      await database.session(async em => {
        await em.execute(`insert into child (id) values (${id})`);
        await em.insert(Author, { id, email: `${id}@example.org` });
      });
    }
    expect(await emails()).toEqual(['4711@example.org', '4712@example.org']);
  });
});

test('rows are streamed', async () => {
  await withSandbox(database, async () => {
    await Promise.all(['a', 'b', 'c'].map(letter => insert(letter)));
    const seen = await database.read(async em => {
      const rows: unknown[] = [];
      for await (const row of em.stream(Author, {})) rows.push(row);
      return rows.length;
    });
    expect(seen).toBe(3);
  });
});

test('a rollback fits into a sandbox, and a second sandbox is refused', async () => {
  await withSandbox(database, async () => {
    await withRollback(database, em => em.insert(Author, { email: 'ada@example.org' }));
    expect(await emails()).toEqual([]);
    await expect(withSandbox(database, async () => {})).rejects.toThrow('A sandbox of this database is open');
  });
  await insert('stays@example.org');
  expect(await stored()).toBe(1);
  await database.session(em => em.nativeDelete(Author, {}));
});

test('a double has no sandbox', async () => {
  const double = { ...database };
  await expect(withSandbox(double, async () => {})).rejects.toThrow('needs the DatabaseService of a database plugin');
});
