import type { EntityManager } from '@mikro-orm/core';
import { Note } from './note.ts';

let notes = 0;

/** Stores a note with whatever the test does not care about. */
export async function storedNote(em: EntityManager, given: Partial<Note> = {}): Promise<Note> {
  notes += 1;
  const note = em.create(Note, { text: `note ${notes}`, ...given });
  await em.flush();
  return note;
}
