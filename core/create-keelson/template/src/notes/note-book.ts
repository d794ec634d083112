import { randomUUID } from 'node:crypto';
import { type Clock, KeelsonError } from '@keelson/core';
import type { EntityManager } from '@mikro-orm/core';
import { Note } from './note.js';
import { titleOf } from './title-of.js';

export interface NoteBookParts {
  readonly clock: Clock;
  readonly maxTitleLength: number;
}

/** All that can be done with notes. Knows neither HTTP nor transactions: the caller has the session. */
export class NoteBook {
  readonly #clock: Clock;
  readonly #maxTitleLength: number;

  constructor({ clock, maxTitleLength }: NoteBookParts) {
    this.#clock = clock;
    this.#maxTitleLength = maxTitleLength;
  }

  write(em: EntityManager, text: string): Note {
    const title = titleOf(text, this.#maxTitleLength);
    return em.create(Note, { id: randomUUID(), title, text, createdAt: this.#clock.date() });
  }

  /** Returns the newest notes, the newest first. */
  newest(em: EntityManager, limit: number): Promise<Note[]> {
    return em.find(Note, {}, { orderBy: { createdAt: 'desc', id: 'desc' }, limit });
  }

  /** @throws KeelsonError NOTES_NOTE_UNKNOWN. */
  async find(em: EntityManager, id: string): Promise<Note> {
    return (await em.findOne(Note, { id })) ?? unknown();
  }

  /** @throws KeelsonError NOTES_NOTE_UNKNOWN. */
  async remove(em: EntityManager, id: string): Promise<void> {
    em.remove(await this.find(em, id));
  }
}

function unknown(): never {
  throw new KeelsonError({
    code: 'NOTES_NOTE_UNKNOWN',
    message: 'A request named a note that does not exist.',
    http: { status: 404, title: 'Note unknown', detail: 'No note has this id.' },
  });
}
