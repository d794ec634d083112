import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { sql } from 'kysely';
import type { EntityManager } from '../orm/entity-manager.js';
import type { DatabaseSession } from '../session/database-session.js';
import { addAccount, rejection, rejectsWith, storedEmails } from './checks.js';
import { Account, Note } from './conformance-model.js';
import type { Requirement } from './harness.js';

const refused = new Error('refused by the work');
const fail = () => {
  throw refused;
};

export const committing: readonly Requirement[] = [
  {
    name: 'commits when the work resolves, and returns the result of the work',
    async check({ database }) {
      const given = await database.session(async em => {
        await addAccount(em, 'stored');
        return { some: 'thing' };
      });
      deepEqual(given, { some: 'thing' });
      deepEqual(await storedEmails(database), ['stored']);
    },
  },
  {
    name: 'flushes what the EntityManager was given before it commits',
    async check({ database }) {
      await database.session(async em => {
        em.persist(em.create(Account, { email: 'persisted' }));
      });
      await database.session(async em => {
        const account = await em.findOneOrFail(Account, { email: 'persisted' });
        account.email = 'changed';
      });
      deepEqual(await storedEmails(database), ['changed']);
    },
  },
  {
    name: 'rolls back when the work rejects, and rejects with the same error',
    async check({ database }) {
      const work = database.session(async em => {
        await addAccount(em, 'taken back');
        return fail();
      });
      equal(await rejection(work), refused);
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'takes no connection for a session that runs nothing',
    async check({ database }) {
      const before = database.stats().counters.acquired;
      equal(await database.session(async () => database.stats().busy), 0);
      equal(database.stats().counters.acquired, before);
    },
  },
  {
    name: 'handles work that is not async, that throws undefined, and that returns its EntityManager',
    async check({ database }) {
      const notAsync = (work: () => unknown) => database.session(work as () => Promise<unknown>);
      equal(await notAsync(() => 7), 7);
      equal(await rejection(notAsync(fail)), refused);
      equal(await rejection(database.session(() => Promise.reject(undefined))), undefined);
      const em = await database.session(async given => given);
      await rejection(em.execute('select 1'));
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'gives every session an EntityManager and an id of its own, and knows the current one',
    async check({ database }) {
      equal(database.currentSession(), undefined);
      const seen = await Promise.all(
        [1, 2, 3].map(number =>
          database.session(async (em, session) => {
            await addAccount(em, `number ${number}`);
            equal(database.currentSession()?.id, session.id);
            equal(session.attempt, 1);
            return { id: session.id, em };
          }),
        ),
      );
      equal(new Set(seen.map(({ id }) => id)).size, 3);
      equal(new Set(seen.map(({ em }) => em)).size, 3);
      equal(database.currentSession(), undefined);
      equal((await storedEmails(database)).length, 3);
    },
  },
  {
    name: 'commits an opened session once, and refuses what comes after',
    async check({ database }) {
      const session = await database.openSession();
      await addAccount(session.em, 'opened');
      equal(session.state, 'open');
      await session.commit();
      equal(session.state, 'committed');
      await rejectsWith(session.commit(), 'DATABASE_SESSION_CLOSED');
      await rejection(session.em.execute('select 1'));
      await session.rollback();
      equal(session.state, 'committed');
      deepEqual(await storedEmails(database), ['opened']);
    },
  },
  {
    name: 'commits once when it is asked to commit and to roll back at the same moment',
    async check({ database }) {
      for (const other of ['commit', 'rollback', Symbol.asyncDispose] as const) {
        const reported: string[] = [];
        const session = await database.openSession();
        session.onCommit(() => void reported.push('committed'));
        session.onRollback(() => void reported.push('rolled back'));
        await addAccount(session.em, String(other));
        const first = session.commit();
        // Let COMMIT be sent.
        for (let turn = 0; turn < 20; turn++) await Promise.resolve();
        const second = Promise.resolve(session[other]()).catch(() => {});
        await first;
        await second;
        deepEqual({ reported, state: session.state }, { reported: ['committed'], state: 'committed' });
      }
      equal((await storedEmails(database)).length, 3);
    },
  },
  {
    name: 'rolls an opened session back when its scope ends without a commit',
    async check({ database }) {
      let kept: DatabaseSession;
      {
        await using session = await database.openSession();
        await addAccount(session.em, 'forgotten');
        kept = session;
      }
      equal(kept.state, 'rolled back');
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'makes an opened session the current session of the work that it runs',
    async check({ database }) {
      await using session = await database.openSession();
      await session.run(async () => {
        equal(database.currentSession()?.id, session.id);
        await database.session(em => addAccount(em, 'joined'));
      });
      await session.commit();
      deepEqual(await storedEmails(database), ['joined']);
    },
  },
  {
    name: 'calls back once, after the commit',
    async check({ database }) {
      const reported: string[] = [];
      await database.session(async (em, session) => {
        await addAccount(em, 'reported');
        session.onCommit(async () => void reported.push(`${session.state}: ${await storedEmails(database)}`));
        session.onCommit(fail);
        session.onCommit(() => void reported.push('and again'));
        session.onRollback(() => void reported.push('rolled back'));
      });
      deepEqual(reported, ['committed: reported', 'and again']);
    },
  },
  {
    name: 'calls back once, after the rollback',
    async check({ database }) {
      const reported: string[] = [];
      const work = database.session(async (em, session) => {
        await addAccount(em, 'never');
        session.onCommit(() => void reported.push('committed'));
        session.onRollback(async () => void reported.push(`${session.state}: ${await storedEmails(database)}`));
        session.onRollback(fail);
        return fail();
      });
      equal(await rejection(work), refused);
      deepEqual(reported, ['rolled back: ']);
    },
  },
  {
    name: 'refuses writes in a read-only session, once, and stores nothing',
    async check({ database }) {
      let runs = 0;
      const work = database.read(async em => {
        runs += 1;
        await addAccount(em, 'read-only');
      });
      const error = await rejectsWith(work, 'DATABASE_QUERY_FAILED');
      equal(error.facts.kind, 'read-only');
      equal(runs, 1);
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'gives a session the isolation and the mode it asks for',
    async check({ database }) {
      for (const isolation of ['read committed', 'repeatable read', 'serializable'] as const) {
        const rows = await database.session(em => em.execute('show transaction_isolation'), { isolation });
        deepEqual(rows, [{ transaction_isolation: isolation }]);
      }
      const options = { isolation: 'serializable', readOnly: true, deferrable: true } as const;
      const rows = await database.session(
        em =>
          em.execute(
            "select current_setting('transaction_read_only') as r, current_setting('transaction_deferrable') as d",
          ),
        options,
      );
      deepEqual(rows, [{ r: 'on', d: 'on' }]);
    },
  },
  {
    name: 'fails when an entity of a read-only session was changed, and stores nothing of it',
    async check({ database }) {
      await database.session(async em => {
        await addAccount(em, 'as stored');
        em.create(Note, { text: 'as stored', details: { tags: ['old'] }, place: { city: 'old', street: null } });
      });
      const changes: readonly ((em: EntityManager) => Promise<unknown>)[] = [
        async em => Object.assign(await em.findOneOrFail(Account, { email: 'as stored' }), { email: 'changed' }),
        async em => (await em.findOneOrFail(Note, { text: 'as stored' })).details?.tags.push('changed'),
        async em =>
          Object.assign((await em.findOneOrFail(Note, { text: 'as stored' })).place ?? {}, { city: 'changed' }),
        async em => em.create(Account, { email: 'created' }),
        async em => em.remove(await em.findOneOrFail(Account, { email: 'as stored' })),
      ];
      for (const change of changes)
        await rejectsWith(database.session(change, { readOnly: true }), 'DATABASE_QUERY_FAILED');
      deepEqual(await storedEmails(database), ['as stored']);
      const notes = await database.session(em => em.execute('select details, place_city from conformance_note'));
      deepEqual(notes, [{ details: { tags: ['old'] }, place_city: 'old' }]);
    },
  },
  {
    name: 'shows the same state of the data throughout a session with the isolation level repeatable read',
    requires: 'multi-connection',
    async check({ database }) {
      await database.session(
        async em => {
          equal(await em.count(Account), 0);
          await database.session(inner => addAccount(inner, 'meanwhile'), { nested: 'separate' });
          equal(await em.count(Account), 0);
        },
        { isolation: 'repeatable read' },
      );
      deepEqual(await storedEmails(database), ['meanwhile']);
    },
  },
  {
    name: 'reads values as the same JavaScript types as every other driver',
    async check({ database }) {
      const [row] = await database.session(em => em.execute(sampleValues));
      deepEqual(row, {
        small: 1,
        big: '9007199254740993',
        exact: '1.10',
        real: 1.5,
        yes: true,
        nothing: null,
        document: { a: [1, 'two'] },
        bytes: Buffer.from([0, 255]),
        day: '2026-01-31',
        moment: '2026-01-31 10:20:30.4',
        span: '01:00:00',
        numbers: [1, null, 3],
        texts: ['a,b', '"q"', null],
        nested: [
          [1, 2],
          [3, 4],
        ],
        flags: [true, false],
      });
    },
  },
  {
    name: 'refuses at once what is read beside an open stream',
    requires: 'stream',
    async check({ database }) {
      await database.session(async em => {
        for (const email of ['first', 'second']) await addAccount(em, email);
      });
      const others: readonly ((em: EntityManager) => Promise<unknown>)[] = [
        em => em.stream(Account, {}).next(),
        em =>
          em
            .getKysely()
            .selectNoFrom(({ lit }) => lit(1).as('one'))
            .execute(),
        em => em.count(Account),
      ];
      for (const other of others) {
        const unit = database.session(async em => {
          for await (const _ of em.stream(Account, {})) await other(em);
        });
        await rejectsWith(unit, 'DATABASE_CONCURRENT_USE');
      }
    },
  },
  {
    name: 'streams rows, and goes on after a stream that was left early',
    requires: 'stream',
    async check({ database }) {
      const emails = ['a', 'b', 'c', 'd', 'e'];
      await database.session(async em => {
        for (const email of emails) await addAccount(em, email);
        const seen: string[] = [];
        for await (const { email } of em.stream(Account, { orderBy: { id: 'asc' }, chunkSize: 2 })) seen.push(email);
        deepEqual(seen, emails);
        for await (const { email } of em.stream(Account, { orderBy: { id: 'asc' }, chunkSize: 2 })) {
          if (email === 'b') break;
        }
        equal(await em.count(Account), emails.length);
      });
      const failing = database.session(async em => {
        const numbers = em.getKysely().selectFrom(sql`generate_series(1, 10)`.as('n')).select(sql`1 / (5 - n)`.as('x'));
        for await (const _ of numbers.stream(2));
      });
      await rejectsWith(failing, 'DATABASE_QUERY_FAILED');
      deepEqual(await storedEmails(database), emails);
    },
  },
  {
    name: 'stores and reads back every character, and a long text',
    async check({ database }) {
      const texts = ["it's", 'a\\b', '$1 ? ??', 'näïve 中文 🚢', ' \n\t ', 'x'.repeat(200_000)];
      await database.session(async em => {
        for (const text of texts) await addAccount(em, text);
      });
      const stored = await database.read(em => em.find(Account, {}, { orderBy: { id: 'asc' } }));
      deepEqual(
        stored.map(({ email }) => email),
        texts,
      );
      notEqual(stored[0]?.id, stored[1]?.id);
      ok(stored.every(({ balance }) => balance === 0));
    },
  },
];

const sampleValues = `select 1::int as small, 9007199254740993::bigint as big, 1.10::numeric as exact, 1.5::float8 as real,
  true as yes, null as nothing, '{"a":[1,"two"]}'::jsonb as document, '\\x00ff'::bytea as bytes,
  '2026-01-31'::date as day, '2026-01-31 10:20:30.4'::timestamp as moment, '1 hour'::interval as span,
  array[1,null,3] as numbers, array['a,b','"q"',null] as texts, array[[1,2],[3,4]] as nested, array[true,false] as flags`;
