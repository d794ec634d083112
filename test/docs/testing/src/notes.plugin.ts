import { definePlugin, HttpServer } from '@keelson/core';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import { HttpRoutes, route } from '@keelson/http';
import { z } from 'zod';
import { CreateNotes, Note } from './note.ts';

const noteView = z.object({ id: z.int(), text: z.string() });

export default definePlugin<{ maxLength: number }>({
  name: 'notes',
  config: z.object({ maxLength: z.int().min(1).default(500).describe('Longest note, in characters.') }),
  requires: [DatabaseService, HttpServer, HttpRoutes],

  register({ bind }) {
    bind(DatabaseModel).toConstantValue({ entities: [Note], migrations: [CreateNotes] });
  },

  start({ config, container }) {
    container.get(HttpRoutes).mount('/notes', [
      route({
        method: 'post',
        path: '/',
        summary: 'Writes a note',
        body: z.strictObject({ text: z.string().trim().min(1).max(config.maxLength) }),
        answers: { 201: noteView },
        handle: async ({ em, body }) => {
          const note = em.create(Note, body);
          await em.flush(); // the database gives the note its id
          return { status: 201, body: note };
        },
      }),
      route({
        method: 'get',
        path: '/',
        summary: 'Lists all notes',
        answers: { 200: z.array(noteView) },
        handle: async ({ em }) => ({ body: await em.find(Note, {}, { orderBy: { id: 'asc' } }) }),
      }),
    ]);
  },
});
