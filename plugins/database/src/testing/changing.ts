import { deepEqual } from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { raw } from '@mikro-orm/core';
import type { EntityManager } from '../orm/entity-manager.js';
import { Account, Note } from './conformance-model.js';
import type { Requirement } from './harness.js';
import { addAccounts, addNote, emails, loadNote, type StoredNote, storedNote, storedTexts } from './notes.js';

/** One way to change a note, and what is stored of it. */
interface Change {
  readonly what: string;
  readonly to: (note: StoredNote, value: string, em: EntityManager) => void;
  readonly read: (note: StoredNote) => unknown;
  readonly stored: (value: string) => unknown;
}

const changes: readonly Change[] = [
  {
    what: 'a text',
    to: (note, value) => {
      note.text = value;
    },
    read: note => note.text,
    stored: value => value,
  },
  {
    what: 'em.assign',
    to: (note, value, em) => void em.assign(note, { text: value }),
    read: note => note.text,
    stored: value => value,
  },
  {
    what: 'JSON, from inside',
    to: (note, value) => void note.details?.tags.push(value),
    read: note => note.details?.tags,
    stored: value => (value === 'first' ? ['first'] : ['first', 'second']),
  },
  {
    what: 'JSON',
    to: (note, value) => {
      note.details = { tags: [value] };
    },
    read: note => note.details?.tags,
    stored: value => [value],
  },
  {
    what: 'an embedded object',
    to: (note, value) => {
      if (note.place) note.place.city = value;
    },
    read: note => note.place?.city,
    stored: value => value,
  },
  {
    what: 'an embedded object in JSON',
    to: (note, value) => {
      if (note.home) note.home.city = value;
    },
    read: note => note.home?.city,
    stored: value => value,
  },
  {
    what: 'a relation',
    to: (note, value, em) => {
      note.account = em.getReference(Account, emails.indexOf(value));
    },
    read: note => note.account?.email,
    stored: value => value,
  },
  {
    what: 'a collection',
    to: (note, value, em) => void note.readers.set([em.getReference(Account, emails.indexOf(value))]),
    read: note => note.readers.getItems().map(({ email }) => email),
    stored: value => [value],
  },
];

/** Moments of a flush, from before it has computed anything to after its answer: how many turns of which queue away. */
const moments: readonly (readonly [microtasks: number, turns: number])[] = [
  ...Array.from({ length: 9 }, (_, step) => [step * 7, 0] as const),
  ...[1, 3].map(turns => [0, turns] as const),
];

async function reach([microtasks, turns]: readonly [number, number]): Promise<void> {
  for (let step = 0; step < microtasks; step += 1) await undefined;
  for (let turn = 0; turn < turns; turn += 1) await setImmediate();
}

export const changing: readonly Requirement[] = [
  ...changes.map(
    ({ what, to, read, stored }): Requirement => ({
      name: `stores a change of ${what} that is made while a flush runs`,
      async check({ database }) {
        await addAccounts(database);
        for (const moment of moments) {
          const id = await addNote(database);
          await database.session(async em => {
            const note = await loadNote(em, id);
            to(note, 'first', em);
            const flushed = em.flush();
            await reach(moment);
            to(note, 'second', em);
            await flushed;
          });
          deepEqual(read(await storedNote(database, id)), stored('second'), `at ${moment}`);
        }
      },
    }),
  ),
  ...changes
    .filter(({ what }) => what !== 'JSON, from inside')
    .map(
      ({ what, to, read, stored }): Requirement => ({
        name: `stores the former value when a change of ${what} is reverted while a flush runs`,
        async check({ database }) {
          await addAccounts(database);
          for (const moment of moments) {
            const id = await addNote(database);
            await database.session(async em => {
              const note = await loadNote(em, id);
              to(note, 'start', em);
              await em.flush();
              to(note, 'first', em);
              const flushed = em.flush();
              await reach(moment);
              to(note, 'start', em);
              await flushed;
            });
            deepEqual(read(await storedNote(database, id)), stored('start'), `at ${moment}`);
          }
        },
      }),
    ),
  {
    name: 'stores a change of an entity that is made while a flush inserts the entity',
    async check({ database }) {
      await addAccounts(database);
      for (const moment of moments) {
        const { id } = await database.session(async em => {
          const note = em.create(Note, { text: 'created' });
          const flushed = em.flush();
          await reach(moment);
          note.text = 'changed';
          note.details = { tags: ['late'] };
          note.readers.add(em.getReference(Account, 2));
          await flushed;
          return note;
        });
        const { text, details, readers } = await storedNote(database, id);
        deepEqual([text, details, readers.length], ['changed', { tags: ['late'] }, 1], `at ${moment}`);
      }
    },
  },
  {
    name: 'does not store what is removed while a flush creates it',
    async check({ database }) {
      for (const moment of moments) {
        await database.session(async em => {
          const note = em.create(Note, { text: 'unwanted' });
          const flushed = em.flush();
          await reach(moment);
          em.remove(note);
          await flushed;
        });
        deepEqual(await storedTexts(database), [], `at ${moment}`);
      }
    },
  },
  {
    name: 'stores a change of a property that is made while a statement that returns the property runs',
    async check({ database }) {
      for (const moment of moments) {
        const ids = await database.session(async em => {
          const created = em.create(Note, { text: 'created' });
          const creating = em.flush();
          await reach(moment);
          created.rank = 99;
          await creating;
          const updated = em.create(Note, { text: 'start', rank: 1 });
          await em.flush();
          Object.assign(updated, { text: 'first', rank: raw('rank + 1') });
          const updating = em.flush();
          await reach(moment);
          Object.assign(updated, { text: 'second', rank: 50 });
          await updating;
          return [created.id, updated.id];
        });
        const notes = await database.read(em => em.find(Note, { id: { $in: ids } }, { orderBy: { id: 'asc' } }));
        const stored = notes.map(({ text, rank }) => [text, rank]);
        deepEqual(
          stored,
          [
            ['created', 99],
            ['second', 50],
          ],
          `at ${moment}`,
        );
      }
    },
  },
];
