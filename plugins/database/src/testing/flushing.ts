import { deepEqual, equal } from 'node:assert/strict';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount, rejection, storedEmails } from './checks.js';
import { Account } from './conformance-model.js';
import type { Requirement } from './harness.js';

const refused = new Error('refused by the work');

/** The ways into a savepoint of the session of `em`. */
function savepoints(database: DatabaseService, em: EntityManager) {
  return [
    (work: (inner: EntityManager) => Promise<void>) => database.transaction(work),
    (work: (inner: EntityManager) => Promise<void>) => em.transactional(work),
  ];
}

/** Stores what waits, and is undone. */
async function flushAndFail(em: EntityManager): Promise<never> {
  await em.flush();
  throw refused;
}

export const flushing: readonly Requirement[] = [
  {
    name: 'stores what was created before a savepoint that is undone',
    requires: 'savepoints',
    async check({ database }) {
      await database.session(async em => {
        for (const [index, savepoint] of savepoints(database, em).entries()) {
          em.create(Account, { email: `before ${index}` });
          equal(await rejection(savepoint(flushAndFail)), refused);
        }
      });
      deepEqual(await storedEmails(database), ['before 0', 'before 1']);
    },
  },
  {
    name: 'stores what was changed before a savepoint that is undone',
    requires: 'savepoints',
    async check({ database }) {
      await database.session(em => addAccount(em, 'first'));
      await database.session(async em => {
        const account = await em.findOneOrFail(Account, { email: 'first' });
        for (const [index, savepoint] of savepoints(database, em).entries()) {
          account.email = `changed ${index}`;
          equal(await rejection(savepoint(flushAndFail)), refused);
          equal(await em.count(Account, { email: account.email }), 1, `savepoint ${index}`);
        }
      });
      deepEqual(await storedEmails(database), ['changed 1']);
    },
  },
  {
    name: 'stores what was created before a savepoint inside a savepoint that is undone',
    requires: 'savepoints',
    async check({ database }) {
      await database.session(async () => {
        await database.transaction(async outer => {
          outer.create(Account, { email: 'between' });
          equal(await rejection(outer.transactional(flushAndFail)), refused);
        });
      });
      deepEqual(await storedEmails(database), ['between']);
    },
  },
  {
    name: 'stores what was created, and removes what was removed, while a flush of the same session runs',
    async check({ database }) {
      await database.session(em => addAccount(em, 'removed'));
      await database.session(async em => {
        const removed = await em.findOneOrFail(Account, { email: 'removed' });
        em.create(Account, { email: 'first' });
        const running = em.flush();
        await em.execute('select 1');
        em.create(Account, { email: 'second' });
        em.remove(removed);
        await running;
      });
      deepEqual(await storedEmails(database), ['first', 'second']);
    },
  },
];
