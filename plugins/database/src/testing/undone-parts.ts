import { deepEqual, equal } from 'node:assert/strict';
import type { EntityManager } from '../orm/entity-manager.js';
import { rejection, rejectsWith, storedEmails } from './checks.js';
import { Account, Note } from './conformance-model.js';
import type { Requirement } from './harness.js';
import { addFullNote, changeAll, changes, refused, seen, undo, versionBefore, ways } from './note-changes.js';
import { addAccounts, loadNote, type StoredNote, storedNote } from './notes.js';

/** A part inside a part: which of them fail, and what is stored of the outer and of the inner one then. */
const nestings = [
  { what: 'the inner one alone', fails: ['inner'], stored: ['outer', 'start'] },
  { what: 'both', fails: ['inner', 'outer'], stored: ['start', 'start'] },
  { what: 'the outer one alone', fails: ['outer'], stored: ['start', 'start'] },
] as const;

export const undoneParts: readonly Requirement[] = [
  ...changes.map(
    ({ what, to, read }): Requirement => ({
      name: `undoes a change of ${what} when the part that flushed it fails, and stores the change when it is made again`,
      async check({ database }) {
        await addAccounts(database);
        for (const [index, way] of ways.entries()) {
          for (const again of ['changed', 'other', undefined] as const) {
            const id = await addFullNote(database);
            const seenAtEnd = await database.session(async em => {
              const note = await loadNote(em, id);
              const before = structuredClone(read(note));
              await undo(
                work => way(database, em, work),
                inner => to(note, 'changed', inner),
              );
              deepEqual([read(note), note.version], [before, versionBefore]);
              if (again !== undefined) to(note, again, em);
              return structuredClone(read(note));
            });
            const note = await storedNote(database, id);
            deepEqual(read(note), seenAtEnd, `way ${index}, then ${again}`);
            if (again === undefined) equal(note.version, versionBefore);
          }
        }
      },
    }),
  ),
  {
    name: 'undoes the first values of an entity when the part that flushed them fails',
    async check({ database }) {
      await addAccounts(database);
      for (const isLoaded of [false, true]) {
        const { id } = await database.session(em => Promise.resolve(em.create(Note, { text: 'bare' })));
        await database.session(async em => {
          const note = isLoaded ? await loadNote(em, id) : em.create(Note, { text: 'bare' });
          await em.flush();
          const before = seen(note);
          await undo(em.transactional.bind(em), inner => {
            Object.assign(note, { place: { city: 'x' }, home: { city: 'x' }, words: [], details: { tags: [] } });
            changeAll(note, inner);
          });
          deepEqual(seen(note), before);
        });
      }
      const notes = await database.read(em => em.find(Note, {}, { populate: ['account', 'readers'] }));
      deepEqual(
        notes.map(({ text, version, account }) => [text, version, account]),
        notes.map(() => ['bare', 1, null]),
      );
    },
  },
  ...nestings.map(
    ({ what, fails, stored }): Requirement => ({
      name: `undoes what a part inside another has flushed when a part fails: ${what}`,
      async check({ database }) {
        await addAccounts(database);
        const id = await addFullNote(database);
        const failIf = (part: 'inner' | 'outer') => {
          if (fails.some(each => each === part)) throw refused;
        };
        const settled = (work: Promise<void>) => work.catch(error => equal(error, refused));
        await database.session(async em => {
          const note = await loadNote(em, id);
          const place = note.place;
          const held = () => [note.text, place?.city];
          await settled(
            database.transaction(async outer => {
              note.text = 'outer';
              await outer.flush();
              await settled(
                database.transaction(async inner => {
                  Object.assign(note, { text: 'inner', version: note.version });
                  if (place) place.city = 'inner';
                  await inner.flush();
                  failIf('inner');
                }),
              );
              if (fails.some(each => each === 'inner')) deepEqual(held(), ['outer', 'start']);
              failIf('outer');
            }),
          );
          deepEqual(held(), stored);
          if (place) place.city = 'inner';
        });
        const { text, place } = await storedNote(database, id);
        deepEqual([text, place?.city], [stored[0], 'inner']);
      },
    }),
  ),
  {
    name: 'stores an entity that only a part had loaded, when it is given to the session after the part has failed',
    async check({ database }) {
      await addAccounts(database);
      for (const isGiven of [true, false]) {
        const id = await addFullNote(database);
        await database.session(async em => {
          const loaded: StoredNote[] = [];
          await undo(em.transactional.bind(em), async inner => {
            const note = await loadNote(inner, id);
            note.text = 'changed';
            loaded.push(note);
          });
          if (isGiven) em.persist(loaded);
          else equal((await loadNote(em, id)).text, 'start');
        });
        equal((await storedNote(database, id)).text, isGiven ? 'changed' : 'start');
      }
    },
  },
  {
    name: 'undoes a removal, and its effects on other entities, when the part that flushed it fails',
    async check({ database }) {
      await addAccounts(database);
      const id = await addFullNote(database);
      await database.session(async em => {
        const note = await loadNote(em, id);
        const account = await em.findOneOrFail(Account, 1);
        await undo(em.transactional.bind(em), async outer => {
          await outer.transactional(async inner => {
            await inner.execute('delete from conformance_note_readers');
            await inner.execute('update conformance_note set account_id = null');
            inner.remove(account);
          });
        });
        equal(await em.findOne(Account, 1), account);
        deepEqual([note.account, note.readers.getItems()], [account, [account]]);
        account.email = 'changed';
      });
      const { account, readers, version } = await storedNote(database, id);
      deepEqual([account?.email, readers.length, version], ['changed', 1, versionBefore]);
      await database.session(async em => {
        const [kept] = [await em.findOneOrFail(Account, 2)];
        await undo(em.transactional.bind(em), inner => void inner.remove(kept));
        em.remove(kept);
      });
      deepEqual(await storedEmails(database), ['changed', 'second']);
    },
  },
  {
    name: 'undoes what the EntityManager of the session flushed while a part ran, when the part fails',
    async check({ database }) {
      await addAccounts(database);
      const id = await addFullNote(database);
      await database.session(async em => {
        const note = await loadNote(em, id);
        const before = seen(note);
        const part = database.transaction(async () => {
          changeAll(note, em);
          await em.flush();
          throw refused;
        });
        equal(await rejection(part), refused);
        deepEqual(seen(note), before);
        note.text = 'changed';
      });
      const { text, version } = await storedNote(database, id);
      deepEqual([text, version], ['changed', versionBefore + 1]);
    },
  },
  {
    name: 'undoes a change of a part when the server refuses it',
    async check({ database }) {
      await addAccounts(database);
      await database.session(async em => {
        const account = await em.findOneOrFail(Account, 1);
        const part = database.transaction(async () => {
          account.email = 'second';
        });
        await rejectsWith(part, 'DATABASE_QUERY_FAILED');
        equal(account.email, 'start');
      });
      deepEqual(await storedEmails(database), ['first', 'second', 'start']);
    },
  },
  {
    name: 'undoes what a failed part has added to a collection that is not loaded',
    async check({ database }) {
      await addAccounts(database);
      const id = await addFullNote(database);
      await database.session(async em => {
        const note = await em.findOneOrFail(Note, id);
        const add = (inner: EntityManager) => void note.readers.add(inner.getReference(Account, 2));
        await undo(em.transactional.bind(em), add);
        deepEqual([note.readers.getItems(false), note.readers.isDirty()], [[], false]);
        add(em);
      });
      deepEqual((await storedNote(database, id)).readers.getIdentifiers(), [1, 2]);
    },
  },
];
