import { deepEqual, equal } from 'node:assert/strict';
import type { InferEntity } from '@mikro-orm/core';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount, rejection, rejectsWith, storedEmails } from './checks.js';
import { Account, Note, noteHooks } from './conformance-model.js';
import type { Requirement } from './harness.js';
import { addFullNote, changeAll, refused, seen, versionBefore, ways } from './note-changes.js';
import { addAccounts, addNote, loadNote, storedNote, storedTexts } from './notes.js';

/** Ways to change an account, and to know its new balance, without a flush. */
const unflushed: readonly (readonly [what: string, change: (em: EntityManager) => Promise<unknown>])[] = [
  ['an upsert', em => em.upsert(Account, { id: 1, email: 'start', balance: 5 })],
  ['upserts of many', em => em.upsertMany(Account, [{ id: 1, email: 'start', balance: 5 }])],
  [
    'a refresh after an update',
    async em => {
      await em.nativeUpdate(Account, 1, { balance: 5 });
      await em.refresh(em.getReference(Account, 1));
    },
  ],
  [
    'a read after an update',
    async em => {
      await em.nativeUpdate(Account, 1, { balance: 5 });
      await em.findOneOrFail(Account, 1, { refresh: true });
    },
  ],
];

async function failAfterItsInsert(em: EntityManager): Promise<unknown> {
  noteHooks.afterCreate = () => {
    throw refused;
  };
  em.create(Note, { text: 'half' });
  return rejection(em.flush()).finally(() => delete noteHooks.afterCreate);
}

const byEmail = { onConflictFields: ['email' as const] };

/** What is stored, and what MikroORM knows of it, past a flush. */
export const pastFlushes: readonly Requirement[] = [
  ...unflushed.map(
    ([what, change]): Requirement => ({
      name: `undoes ${what} in memory too when its part fails, and stores the same value when it is set again`,
      requires: 'savepoints',
      async check({ database }) {
        await database.session(em => addAccount(em, 'start'));
        for (const way of ways) {
          for (const isLoaded of [true, false]) {
            await database.session(em => em.nativeUpdate(Account, 1, { balance: 0 }));
            await database.session(async em => {
              const account = isLoaded ? await em.findOneOrFail(Account, 1) : em.getReference(Account, 1);
              const part = way(database, em, async inner => {
                await change(inner);
                throw refused;
              });
              equal(await rejection(part), refused);
              deepEqual([account.id, account.balance], [1, isLoaded ? 0 : undefined]);
              account.balance = 5;
            });
            const stored = await database.read(em => em.findOneOrFail(Account, 1));
            equal(stored.balance, 5);
          }
        }
      },
    }),
  ),
  {
    name: 'stores nothing that a part has changed, and not flushed, when it fails',
    requires: 'savepoints',
    async check({ database }) {
      await addAccounts(database);
      for (const way of ways) {
        const id = await addFullNote(database);
        await database.session(async em => {
          const note = await loadNote(em, id);
          const before = seen(note);
          const part = way(database, em, async inner => {
            changeAll(note, inner);
            throw refused;
          });
          equal(await rejection(part), refused);
          deepEqual(seen(note), before);
        });
        const { text, version } = await storedNote(database, id);
        deepEqual([text, version], ['start', versionBefore]);
      }
    },
  },
  {
    name: 'stores nothing that a part has made for an entity of the work around it when it fails before a flush',
    requires: 'savepoints',
    async check({ database }) {
      await addAccounts(database);
      const before = await storedEmails(database);
      for (const way of ways) {
        const id = await addNote(database);
        await database.session(async em => {
          const note = await loadNote(em, id);
          const part = way(database, em, async inner => {
            note.account = inner.create(Account, { email: 'of a relation' });
            note.readers.add(inner.create(Account, { email: 'of a collection' }));
            throw refused;
          });
          equal(await rejection(part), refused);
        });
        const { account, readers } = await storedNote(database, id);
        deepEqual([account?.id, readers.getIdentifiers()], [1, [1]]);
      }
      deepEqual(await storedEmails(database), before);
    },
  },
  {
    name: 'keeps what a part has loaded when it fails and has changed nothing',
    requires: 'savepoints',
    async check({ database }) {
      await database.session(em => addAccount(em, 'start'));
      const email = await database.session(async em => {
        const account = em.getReference(Account, 1);
        const part = database.transaction(async inner => {
          await inner.findOneOrFail(Account, 1);
          throw refused;
        });
        equal(await rejection(part), refused);
        return account.email;
      });
      equal(email, 'start');
    },
  },
  {
    name: 'stores an entity that was given to an upsert of work that was undone',
    async check({ database }) {
      for (const isMany of [false, true]) {
        let account: object | undefined;
        const failing = database.session(async em => {
          account = em.create(Account, { id: isMany ? 2 : 1, email: `many ${isMany}` }, { persist: false });
          await (isMany ? em.upsertMany([account]) : em.upsert(account));
          throw refused;
        });
        equal(await rejection(failing), refused);
        await database.session(async em => void em.persist(Object(account)));
      }
      deepEqual(await storedEmails(database), ['many false', 'many true']);
    },
  },
  {
    name: 'stores an entity that an undone upsert made from data, when another session persists the entity',
    async check({ database }) {
      for (const isMany of [false, true]) {
        let made: readonly object[] = [];
        const data = { email: `many ${isMany}`, balance: 5 };
        const failing = database.session(async em => {
          made = isMany ? await em.upsertMany(Account, [data], byEmail) : [await em.upsert(Account, data, byEmail)];
          throw refused;
        });
        equal(await rejection(failing), refused);
        await database.session(async em => void em.persist([...made]));
      }
      deepEqual(await storedEmails(database), ['many false', 'many true']);
    },
  },
  {
    name: 'stores the changes of an undone upsert to a loaded entity, when another session persists the entity',
    async check({ database }) {
      await database.session(em => addAccount(em, 'start'));
      for (const isMany of [false, true]) {
        let account: InferEntity<typeof Account> | undefined;
        const data = { email: 'start', balance: isMany ? 6 : 5 };
        const failing = database.session(async em => {
          account = await em.findOneOrFail(Account, { email: 'start' });
          await (isMany ? em.upsertMany(Account, [data], byEmail) : em.upsert(Account, data, byEmail));
          throw refused;
        });
        equal(await rejection(failing), refused);
        await database.session(async em => void em.persist(Object(account)));
        const stored = await database.read(em => em.findOneOrFail(Account, 1));
        equal(stored.balance, data.balance);
      }
    },
  },
  {
    name: 'stores nothing of a session that goes on after a flush that failed when half of it was done',
    async check({ database }) {
      const swallowing = database.session(async em => {
        em.create(Account, { email: 'swallowed' });
        equal(await failAfterItsInsert(em), refused);
      });
      const { cause } = await rejectsWith(swallowing, 'DATABASE_TRANSACTION_FAILED');
      equal(cause, refused);
      deepEqual([await storedTexts(database), await storedEmails(database)], [[], []]);
    },
  },
  {
    name: 'stores a session whose nested part failed in the middle of a flush',
    requires: 'savepoints',
    async check({ database }) {
      await database.session(async em => {
        em.create(Account, { email: 'kept' });
        const part = database.transaction(async inner => {
          throw await failAfterItsInsert(inner);
        });
        equal(await rejection(part), refused);
      });
      deepEqual([await storedTexts(database), await storedEmails(database)], [[], ['kept']]);
    },
  },
  {
    name: 'does not put rows of a session into the cache of results when the session is rolled back',
    async check({ database }) {
      const cached = (em: EntityManager) => em.find(Account, {}, { cache: ['conformance accounts', 60_000] });
      const failing = database.session(async em => {
        await addAccount(em, 'phantom');
        equal((await cached(em)).length, 1);
        throw refused;
      });
      equal(await rejection(failing), refused);
      deepEqual(await database.session(cached), []);
      await database.session(em => em.clearCache('conformance accounts'));
    },
  },
];
