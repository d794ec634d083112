import { deepEqual, equal } from 'node:assert/strict';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import type { DatabaseSession } from '../session/database-session.js';
import { addAccount, rejection, storedEmails } from './checks.js';
import { Account, Note } from './conformance-model.js';
import type { Requirement } from './harness.js';
import { addAccounts, addNote, loadNote, type StoredNote, storedNote } from './notes.js';

const refused = new Error('refused by the work');

/** The server undoes the transaction for the sake of another one. */
const conflict = "do $$ begin raise exception 'undone' using errcode = '40001'; end $$";

/** Flushes an entity in work that is undone, and gives it to work that is stored. */
type Way = (database: DatabaseService, give: (em: EntityManager) => void) => Promise<void>;

async function flushAndFail(em: EntityManager): Promise<never> {
  await em.flush();
  throw refused;
}

const inNextAttempt: Way = (database, give) =>
  database.session(async (em, { attempt }) => {
    give(em);
    await em.flush();
    if (attempt === 1) await em.execute(conflict);
  });

const inNextSession: Way = async (database, give) => {
  const first = database.session(async em => {
    give(em);
    await flushAndFail(em);
  });
  equal(await rejection(first), refused);
  await database.session(async em => give(em));
};

const afterSavepoint: Way = (database, give) =>
  database.session(async em => {
    const part = database.transaction(async inner => {
      give(inner);
      await flushAndFail(inner);
    });
    equal(await rejection(part), refused);
    give(em);
  });

export const undone: readonly Requirement[] = [
  {
    name: 'stores a new entity that was flushed before by work that was undone',
    requires: 'savepoints',
    async check({ database }) {
      for (const [index, way] of [inNextAttempt, inNextSession, afterSavepoint].entries()) {
        let account: object | undefined;
        await way(database, em => {
          account ??= em.create(Account, { email: `new ${index}` });
          em.persist(account);
        });
      }
      deepEqual(await storedEmails(database), ['new 0', 'new 1', 'new 2']);
    },
  },
  {
    name: 'stores the relations of a new entity that was flushed before by work that was undone',
    requires: 'savepoints',
    async check({ database }) {
      await addAccounts(database);
      for (const way of [inNextAttempt, inNextSession, afterSavepoint]) {
        let note: StoredNote | undefined;
        await way(database, em => {
          note ??= em.create(Note, { text: 'new', readers: [1, 2] });
          em.persist(note);
        });
        const { readers, version } = await storedNote(database, note?.id ?? 0);
        deepEqual([readers.getIdentifiers(), version], [[1, 2], 1]);
      }
    },
  },
  {
    name: 'stores the changes of an entity that was flushed before by work that was undone',
    async check({ database }) {
      await addAccounts(database);
      for (const way of [inNextAttempt, inNextSession]) {
        const id = await addNote(database);
        const note = await database.read(em => loadNote(em, id));
        note.text = 'changed';
        await way(database, em => void em.persist(note));
        const { text, version } = await storedNote(database, id);
        deepEqual([text, version], ['changed', 2]);
      }
    },
  },
  {
    name: 'calls onRollback, and not onCommit, for a part that was undone in a session that commits',
    requires: 'savepoints',
    async check({ database }) {
      const called: string[] = [];
      const ask = (session: DatabaseSession, part: string) => {
        session.onCommit(() => void called.push(`${part} committed`));
        session.onRollback(() => void called.push(`${part} rolled back`));
      };
      await database.session(async (em, session) => {
        ask(session, 'outer');
        for (const sends of [true, false]) {
          const part = database.transaction(async inner => {
            await database.transaction(async () => ask(session, 'inner'));
            if (sends) await addAccount(inner, 'undone');
            throw refused;
          });
          equal(await rejection(part), refused);
        }
        await database.transaction(async (inner, same) => {
          await addAccount(inner, 'kept');
          ask(same, 'kept');
        });
        await addAccount(em, 'outer');
      });
      deepEqual(called, ['outer committed', 'inner rolled back', 'inner rolled back', 'kept committed']);
    },
  },
];
