import type { InferEntity } from '@mikro-orm/core';
import type { DatabaseService } from '../database-service.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { addAccount } from './checks.js';
import { Note } from './conformance-model.js';

export type StoredNote = InferEntity<typeof Note>;

/** Of the accounts, by their key; the first has none. */
export const emails = ['none', 'start', 'first', 'second'];

export async function addAccounts(database: DatabaseService): Promise<void> {
  await database.session(async em => {
    for (const email of emails.slice(1)) await addAccount(em, email);
  });
}

/** The id of a note as it is before it is changed. */
export async function addNote(database: DatabaseService): Promise<number> {
  const place = { city: 'start', street: 'one' };
  const values = { text: 'start', details: { tags: [] }, place, home: place, account: 1, readers: [1] };
  const note = await database.session(async em => em.create(Note, values));
  return note.id;
}

export function loadNote(em: EntityManager, id: number): Promise<StoredNote> {
  return em.findOneOrFail(Note, id, { populate: ['account', 'readers'] });
}

export function storedNote(database: DatabaseService, id: number): Promise<StoredNote> {
  return database.read(em => loadNote(em, id));
}

export async function storedTexts(database: DatabaseService): Promise<string[]> {
  const notes = await database.read(em => em.find(Note, {}, { orderBy: { id: 'asc' } }));
  return notes.map(({ text }) => text);
}
