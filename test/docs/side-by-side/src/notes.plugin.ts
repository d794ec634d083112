import { definePlugin, HttpServer } from '@keelson/core';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import { HttpRoutes, route } from '@keelson/http';
import { z } from 'zod';
import { CreateNotes, Note } from './note.ts';
import { NoteBook } from './note-book.ts';

const noteView = z.object({ id: z.int(), text: z.string() });

export default definePlugin({
  name: 'notes',
  requires: [DatabaseService, HttpServer, HttpRoutes],

  register({ bind }) {
    bind(DatabaseModel).toConstantValue({ entities: [Note], migrations: [CreateNotes] });
    bind(NoteBook).toSelf().inSingletonScope();
  },

  start({ container }) {
    const book = container.get(NoteBook);
    container.get(HttpRoutes).mount('/notes', [
      route({
        method: 'post',
        path: '/',
        body: z.strictObject({ text: z.string().min(1).max(500) }),
        answers: { 201: noteView },
        handle: async ({ em, body }) => ({ status: 201, body: await book.write(em, body.text) }),
      }),
      route({
        method: 'get',
        path: '/:id',
        params: z.strictObject({ id: z.coerce.number().int() }),
        answers: { 200: noteView },
        problems: { 404: 'No note has this id.' },
        handle: async ({ em, params }) => ({ body: await book.find(em, params.id) }),
      }),
    ]);
  },
});
