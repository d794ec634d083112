import { deepEqual } from 'node:assert/strict';
import type { InferEntity } from '@mikro-orm/core';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount } from './checks.js';
import { Account, Note } from './conformance-model.js';
import type { Requirement } from './harness.js';

type StoredNote = InferEntity<typeof Note>;

/** One way to change a note, and what is stored of it. */
interface Change {
  readonly what: string;
  readonly to: (note: StoredNote, value: string, em: EntityManager) => void;
  readonly read: (note: StoredNote) => unknown;
  readonly stored: (value: string) => unknown;
}

const emails = ['none', 'start', 'first', 'second'];

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

async function addAccounts(database: DatabaseService): Promise<void> {
  await database.session(async em => {
    for (const email of emails.slice(1)) await addAccount(em, email);
  });
}

/** The id of a note as it is before it is changed. */
async function addNote(database: DatabaseService): Promise<number> {
  const place = { city: 'start', street: 'one' };
  const values = { text: 'start', details: { tags: [] }, place, home: place, account: 1, readers: [1] };
  const note = await database.session(async em => em.create(Note, values));
  return note.id;
}

function loadNote(em: EntityManager, id: number): Promise<StoredNote> {
  return em.findOneOrFail(Note, id, { populate: ['account', 'readers'] });
}

function storedNote(database: DatabaseService, id: number): Promise<StoredNote> {
  return database.read(em => loadNote(em, id));
}

/** Enough to reach from the start of a flush past its end. */
const steps = 120;

async function after(count: number): Promise<void> {
  for (let step = 0; step < count; step += 1) await undefined;
}

export const changing: readonly Requirement[] = [
  ...changes.map(
    ({ what, to, read, stored }): Requirement => ({
      name: `stores a change of ${what} that is made while a flush runs`,
      async check({ database }) {
        await addAccounts(database);
        for (let step = 0; step < steps; step += 4) {
          const id = await addNote(database);
          await database.session(async em => {
            const note = await loadNote(em, id);
            to(note, 'first', em);
            const flushed = em.flush();
            await after(step);
            to(note, 'second', em);
            await flushed;
          });
          deepEqual(read(await storedNote(database, id)), stored('second'), `after ${step} steps`);
        }
      },
    }),
  ),
  {
    name: 'stores a change of what a flush creates that is made while it runs',
    async check({ database }) {
      await addAccounts(database);
      for (let step = 0; step < steps; step += 4) {
        const { id } = await database.session(async em => {
          const note = em.create(Note, { text: 'created' });
          const flushed = em.flush();
          await after(step);
          note.text = 'changed';
          note.details = { tags: ['late'] };
          note.readers.add(em.getReference(Account, 2));
          await flushed;
          return note;
        });
        const { text, details, readers } = await storedNote(database, id);
        deepEqual([text, details, readers.length], ['changed', { tags: ['late'] }, 1], `after ${step} steps`);
      }
    },
  },
];
