import { type Route, route } from '@keelson/http';
import { z } from 'zod';
import type { Note } from './note.js';
import type { NoteBook } from './note-book.js';

/** A note as clients see it. */
const noteView = z
  .strictObject({ id: z.uuid(), title: z.string(), text: z.string(), createdAt: z.iso.datetime() })
  .meta({ id: 'Note' });

const newNote = z.strictObject({ text: z.string().trim().min(1, 'must not be empty').max(10_000) });
const id = z.strictObject({ id: z.uuid() });
const unknown = { 404: 'No note has this id.' };

/** The schemas check each request, type its handler and describe the API at /docs. */
export function notesRoutes(book: NoteBook): readonly Route[] {
  return [
    route({
      method: 'post',
      path: '/',
      summary: 'Writes a note',
      body: newNote,
      answers: { 201: { body: noteView, headers: { Location: 'The path of the note.' } } },
      // A restart of the database makes this answer slower; the client sees no error.
      repeatable: true,
      handle: ({ em, body }) => {
        const note = book.write(em, body.text);
        return { status: 201, headers: { Location: `/notes/${note.id}` }, body: viewOf(note) };
      },
    }),
    route({
      method: 'get',
      path: '/',
      summary: 'Lists the newest notes',
      query: z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(20) }),
      answers: { 200: z.array(noteView) },
      handle: async ({ em, query }) => ({ body: (await book.newest(em, query.limit)).map(viewOf) }),
    }),
    route({
      method: 'get',
      path: '/:id',
      summary: 'Returns a note',
      params: id,
      answers: { 200: noteView },
      problems: unknown,
      handle: async ({ em, params }) => ({ body: viewOf(await book.find(em, params.id)) }),
    }),
    route({
      method: 'delete',
      path: '/:id',
      summary: 'Removes a note',
      params: id,
      answers: { 204: {} },
      problems: unknown,
      repeatable: true,
      handle: async ({ em, params }) => {
        await book.remove(em, params.id);
        return { status: 204 };
      },
    }),
  ];
}

function viewOf({ id, title, text, createdAt }: Note): z.output<typeof noteView> {
  return { id, title, text, createdAt: createdAt.toISOString() };
}
