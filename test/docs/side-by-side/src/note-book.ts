import { KeelsonError } from '@keelson/core';
import type { EntityManager } from '@mikro-orm/core';
import { Note } from './note.ts';

export class NoteBook {
  async write(em: EntityManager, text: string): Promise<Note> {
    const note = em.create(Note, { text });
    await em.flush();
    return note;
  }

  async find(em: EntityManager, id: number): Promise<Note> {
    const note = await em.findOne(Note, { id });
    if (note !== null) return note;
    throw new KeelsonError({
      code: 'NOTES_NOTE_UNKNOWN',
      message: 'A request named a note that does not exist.',
      http: { status: 404, title: 'Note unknown', detail: 'No note has this id.' },
    });
  }
}
