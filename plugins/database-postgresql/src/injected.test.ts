import { inspect } from 'node:util';
import type { DatabaseService, EntityManager } from '@keelson/database';
import { standIn } from '@keelson/database';
import { withRollback } from '@keelson/database/testing';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { EntityRepository, EntityManager as MikroEntityManager } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const refused = (code: string) => expect.objectContaining({ code });

describe('an injected EntityManager', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;
  let other: PostgresqlService;
  let database: DatabaseService;
  let em: EntityManager;
  let otherEm: EntityManager;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    service = createPostgresqlService({ url: testDatabase.url });
    other = createPostgresqlService({ url: testDatabase.url });
    database = service.database;
    await database.connect();
    await other.database.connect();
    await database.migrate();
    em = standIn(() => database.currentSession());
    otherEm = standIn(() => other.database.currentSession());
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    await testDatabase[Symbol.asyncDispose]();
  });
  beforeEach(() => database.session(own => own.execute('truncate author')));

  const stored = () =>
    database.read(async own => (await own.findAll(Author, { orderBy: { email: 1 } })).map(({ email }) => email));
  const add = (email: string, by: EntityManager = em) => void by.create(Author, { email });

  test('is that of the session around each use', async () => {
    const seen = await Promise.all(
      ['a', 'b', 'c'].map(email =>
        database.session(async own => {
          add(email);
          await new Promise(setImmediate);
          await em.flush();
          expect(em.id).toBe(own.id);
          expect(await em.count(Author, { email })).toBe(1);
          return em.id;
        }),
      ),
    );
    expect(new Set(seen).size).toBe(3);
    expect(await stored()).toEqual(['a', 'b', 'c']);
  });

  test('is refused where no session is current: outside, in a callback after the end, and in a session that has ended', async () => {
    expect(() => add('nobody')).toThrow(refused('DATABASE_OUTSIDE_SESSION'));
    expect(() => em.id).toThrow(refused('DATABASE_OUTSIDE_SESSION'));
    expect(() => {
      em.schema = 'other';
    }).toThrow(refused('DATABASE_OUTSIDE_SESSION'));
    const late = Promise.withResolvers<void>();
    const seen: unknown[] = [];
    const note = (work: () => unknown) => {
      try {
        seen.push(work());
      } catch (error) {
        seen.push((error as { code?: unknown }).code);
      }
    };
    let straggler = Promise.resolve();
    await database.session(async (_em, session) => {
      database.outside(() => note(() => em.id));
      session.onCommit(() => note(() => em.id));
      straggler = late.promise.then(() => note(() => add('late')));
    });
    late.resolve();
    await straggler;
    expect(seen).toEqual(['DATABASE_OUTSIDE_SESSION', 'DATABASE_OUTSIDE_SESSION', 'DATABASE_SESSION_CLOSED']);
    expect(await stored()).toEqual([]);
  });

  test('in each attempt is that of the attempt', async () => {
    const ids: (number | string)[] = [];
    await database.session(async (own, { attempt }) => {
      expect(em.id).toBe(own.id);
      ids.push(em.id);
      add('once');
      await em.flush();
      if (attempt === 1) await database.outside(() => other.database.session(end => end.execute(terminate(), [])));
    });
    expect(new Set(ids).size).toBe(2);
    expect(await stored()).toEqual(['once']);
  });

  /** Ends all connections of the service but the one that runs it. */
  const terminate = () =>
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and state = 'idle in transaction'`;

  test('inside a savepoint is that of the savepoint, which takes back what it has done', async () => {
    await database.session(async outer => {
      add('kept');
      await database
        .transaction(async inner => {
          expect(em.id).toBe(inner.id);
          expect(em.id).not.toBe(outer.id);
          add('dropped');
          throw new Error('only this part fails');
        })
        .catch(() => {});
      expect(em.id).toBe(outer.id);
      await database.session(async () => add('joined'));
      await em.transactional(async inner => expect(em.id).toBe(inner.id));
    });
    expect(await stored()).toEqual(['joined', 'kept']);
  });

  test('in a separate session is that of the separate one, also inside a savepoint', async () => {
    await database
      .session(outer =>
        database.transaction(async () => {
          await database.session(
            async own => {
              expect(em.id).toBe(own.id);
              expect(em.id).not.toBe(outer.id);
              add('separate');
            },
            { nested: 'separate' },
          );
          throw new Error('rolled back');
        }),
      )
      .catch(() => {});
    expect(await stored()).toEqual(['separate']);
  });

  test('of one database is never that of another, whichever savepoints lie around', async () => {
    await database.session(() =>
      database.transaction(async own => {
        await other.database.session(theirs =>
          other.database.transaction(async inner => {
            expect([em.id, otherEm.id]).toEqual([own.id, inner.id]);
            await database.transaction(async deeper => {
              expect([em.id, otherEm.id]).toEqual([deeper.id, inner.id]);
            });
            expect(otherEm.id).not.toBe(theirs.id);
            add('ours');
            add('theirs', otherEm);
          }),
        );
        await em.flush();
        expect(await database.outside(stored)).toEqual(['theirs']);
      }),
    );
    expect(await stored()).toEqual(['ours', 'theirs']);
    await database.session(async () => expect(() => otherEm.id).toThrow(refused('DATABASE_OUTSIDE_SESSION')));
  });

  test('of a read-only session may not write', async () => {
    const writing = database.read(async () => {
      expect(await em.count(Author)).toBe(0);
      await em.insert(Author, { email: 'refused' });
    });
    await expect(writing).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED' });
  });

  test('takes part in the trial of a test, which leaves nothing behind', async () => {
    await withRollback(database, async () => {
      await database.session(async () => add('tried'));
      expect(await em.count(Author)).toBe(1);
    });
    expect(await stored()).toEqual([]);
  });

  test('opens a session on demand at its first use, and not when it is only looked at', async () => {
    const demand = await database.sessionOnDemand();
    await demand.run(async () => {
      const { create, findOne } = em;
      const authors = new EntityRepository(em, Author);
      expect(inspect(em)).toBe('[CurrentEntityManager]');
      expect(await Promise.resolve(em)).toBe(em);
      expect(em instanceof MikroEntityManager).toBe(true);
      expect([JSON.stringify(em), typeof create, 'persist' in em, Reflect.get(em, 'then')]).toEqual([
        '{}',
        'function',
        true,
        undefined,
      ]);
      expect(demand.opened).toBeUndefined();
      create(Author, { email: 'destructured' });
      expect(demand.opened?.em.id).toBe(em.id);
      await em.flush();
      expect((await authors.findOneOrFail({ email: 'destructured' })).email).toBe('destructured');
      expect(await findOne(Author, { email: 'destructured' })).not.toBeNull();
    });
    await demand.opened?.rollback();
    demand.close();
  });

  test('is kept by who keeps what it returns, and nothing of a session is', async () => {
    let kept: EntityManager | undefined;
    await database.session(async () => {
      const author = em.create(Author, { email: 'chained' });
      kept = em.persist(author).persist(author);
      em.schema = undefined;
    });
    expect(kept).toBe(em);
    expect(await stored()).toEqual(['chained']);
  });
});
