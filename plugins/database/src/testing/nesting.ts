import { deepEqual, equal, match, notEqual } from 'node:assert/strict';
import { TransactionPropagation } from '@mikro-orm/core';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount, rejection, rejectsWith, storedEmails } from './checks.js';
import { Account } from './conformance-model.js';
import type { Requirement } from './harness.js';

const { REQUIRED, REQUIRES_NEW, SUPPORTS, NOT_SUPPORTED, MANDATORY, NEVER } = TransactionPropagation;

const refused = new Error('refused by the work');

async function addAndFail(em: EntityManager, email: string): Promise<never> {
  await addAccount(em, email);
  throw refused;
}

export const nesting: readonly Requirement[] = [
  {
    name: 'joins the session around it',
    async check({ database }) {
      await database.session(async (em, session) => {
        await addAccount(em, 'outer');
        await database.session(async (inner, joined) => {
          equal(inner, em);
          equal(joined.id, session.id);
          await addAccount(inner, 'inner');
        });
        await database.read(async inner => equal(await inner.count(Account), 2));
      });
      deepEqual(await storedEmails(database), ['inner', 'outer']);
    },
  },
  {
    name: 'commits nothing of a session in which joined work failed, even when its error was swallowed',
    async check({ database }) {
      const work = database.session(async em => {
        await addAccount(em, 'outer');
        equal(await rejection(database.session(inner => addAndFail(inner, 'half'))), refused);
      });
      const error = await rejectsWith(work, 'DATABASE_TRANSACTION_FAILED');
      equal(error.cause, refused);
      deepEqual(await storedEmails(database), []);
    },
  },
  {
    name: 'undoes only the savepoint when its work fails',
    requires: 'savepoints',
    async check({ database }) {
      await database.session(async em => {
        await addAccount(em, 'outer');
        const nested = database.session(inner => addAndFail(inner, 'undone'), { nested: 'savepoint' });
        equal(await rejection(nested), refused);
        await database.transaction(inner => addAccount(inner, 'kept'));
      });
      deepEqual(await storedEmails(database), ['kept', 'outer']);
    },
  },
  {
    name: 'keeps savepoints inside savepoints apart',
    requires: 'savepoints',
    async check({ database }) {
      await database.session(async () => {
        await database.transaction(async first => {
          await addAccount(first, 'first');
          await rejection(database.transaction(second => addAndFail(second, 'second')));
          await database.transaction(third => addAccount(third, 'third'));
        });
        await rejection(
          database.transaction(async fourth => {
            await database.transaction(fifth => addAccount(fifth, 'fifth'));
            await addAndFail(fourth, 'fourth');
          }),
        );
      });
      deepEqual(await storedEmails(database), ['first', 'third']);
    },
  },
  {
    name: 'goes on after a statement that failed inside a savepoint',
    requires: 'savepoints',
    async check({ database }) {
      await database.session(async em => {
        await addAccount(em, 'same');
        const failing = database.transaction(inner => addAccount(inner, 'same'));
        equal((await rejectsWith(failing, 'DATABASE_QUERY_FAILED')).facts.kind, 'unique');
        await addAccount(em, 'other');
      });
      deepEqual(await storedEmails(database), ['other', 'same']);
    },
  },
  {
    name: 'refuses several commands in one text, and the session goes on when this happened in a savepoint',
    requires: 'savepoints',
    async check({ database }) {
      const work = database.session(async em => {
        await addAccount(em, 'outer');
        const several = database.transaction(inner => inner.execute('select 1; select 2'));
        await rejectsWith(several, 'DATABASE_SEVERAL_STATEMENTS');
        await rejection(database.transaction(inner => inner.execute('select 1; selec 2')));
        await addAccount(em, 'other');
      });
      await work;
      deepEqual(await storedEmails(database), ['other', 'outer']);
    },
  },
  {
    name: 'goes on after a savepoint whose first statement, which is the first of the session, failed',
    async check({ database }) {
      await database.session(em => addAccount(em, 'same'));
      await database.session(async em => {
        await rejection(database.transaction(inner => addAccount(inner, 'same')));
        await rejection(database.transaction(inner => inner.execute('selec 1')));
        await addAccount(em, 'other');
      });
      deepEqual(await storedEmails(database), ['other', 'same']);
    },
  },
  {
    name: 'runs a savepoint as a session of its own when no session is around it',
    async check({ database }) {
      await database.transaction(em => addAccount(em, 'alone'), { name: 'alone' });
      await database.session(em => addAccount(em, 'too'), { nested: 'savepoint' });
      deepEqual(await storedEmails(database), ['alone', 'too']);
    },
  },
  {
    name: 'commits a separate session whatever becomes of the one around it',
    requires: 'multi-connection',
    async check({ database }) {
      const work = database.session(async (em, session) => {
        await database.session(
          async (inner, separate) => {
            notEqual(separate.id, session.id);
            await addAccount(inner, 'separate');
          },
          { nested: 'separate' },
        );
        await addAndFail(em, 'outer');
      });
      equal(await rejection(work), refused);
      deepEqual(await storedEmails(database), ['separate']);
    },
  },
  {
    name: 'runs a separate session inside a session without statements, even on a single connection',
    async check({ database }) {
      await database.session(async () => {
        await database.session(em => addAccount(em, 'separate'), { nested: 'separate' });
      });
      deepEqual(await storedEmails(database), ['separate']);
    },
  },
  {
    name: 'refuses a separate session where there is only one connection, and the session around it goes on',
    lacks: 'multi-connection',
    async check({ database }) {
      await database.session(async em => {
        await addAccount(em, 'outer');
        const separate = database.session(async () => 1, { nested: 'separate' });
        const error = await rejectsWith(separate, 'DATABASE_UNSUPPORTED');
        equal(error.facts.capability, 'multi-connection');
        await rejectsWith(database.openSession(), 'DATABASE_UNSUPPORTED');
      });
      deepEqual(await storedEmails(database), ['outer']);
    },
  },
  {
    name: 'opens a session of its own for work that outlives the session it was begun in',
    async check({ database }) {
      const outer = await database.openSession();
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      const later = outer.run(async () => {
        await ended;
        await database.session(em => addAccount(em, 'later'));
      });
      await outer.commit();
      end();
      await later;
      deepEqual(await storedEmails(database), ['later']);
    },
  },
  {
    name: 'commits nothing of a session when work that MikroORM joined to it has failed',
    async check({ database }) {
      for (const propagation of [REQUIRED, SUPPORTS, MANDATORY]) {
        await database.session(em => em.transactional(inner => addAccount(inner, propagation), { propagation }));
        const work = database.session(async em => {
          await addAccount(em, 'outer');
          equal(await rejection(em.transactional(inner => addAndFail(inner, 'half'), { propagation })), refused);
        });
        equal((await rejectsWith(work, 'DATABASE_TRANSACTION_FAILED')).cause, refused);
      }
      deepEqual(await storedEmails(database), [MANDATORY, REQUIRED, SUPPORTS]);
    },
  },
  {
    name: 'refuses to let MikroORM leave the transaction of a session, which goes on',
    async check({ database }) {
      for (const propagation of [REQUIRES_NEW, NOT_SUPPORTED]) {
        await database.session(async em => {
          let ran = false;
          const leaving = em.transactional(
            async () => {
              ran = true;
            },
            { propagation },
          );
          const error = await rejectsWith(leaving, 'DATABASE_SECOND_CONNECTION');
          match(error.hint ?? '', /nested: 'separate'.*database\.outside/);
          deepEqual([error.facts.propagation, ran], [propagation, false]);
          await addAccount(em, propagation);
        });
      }
      await database.session(async em => {
        await rejection(em.transactional(inner => addAccount(inner, 'never'), { propagation: NEVER }));
        await addAccount(em, NEVER);
      });
      deepEqual(await storedEmails(database), [NEVER, NOT_SUPPORTED, REQUIRES_NEW]);
    },
  },
  {
    name: 'repeats the whole unit when the server has undone it inside a nested session',
    requires: 'savepoints',
    async check({ database }) {
      for (const nested of ['join', 'savepoint'] as const) {
        await database.session(async (em, session) => {
          await addAccount(em, `${nested} ${session.attempt}`);
          const inner = (given: EntityManager) => given.execute(session.attempt === 1 ? undone : 'select 1');
          await database.session(inner, { nested });
        });
      }
      deepEqual(await storedEmails(database), ['join 2', 'savepoint 2']);
    },
  },
];

const undone = "do $$ begin raise exception 'undone' using errcode = '40001'; end $$";
