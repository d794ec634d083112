import type { EntityManager } from '@mikro-orm/core';
import { Note } from './note.ts';

let notes = 0;

/** Stores a note. `given` has the values that matter to the test; the others have defaults. */
export async function storedNote(em: EntityManager, given: Partial<Note> = {}): Promise<Note> {
  notes += 1;
  const note = em.create(Note, { text: `note ${notes}`, ...given });
  await em.flush();
  return note;
}
