import { definePlugin } from '@keelson/core';
import { DatabaseModel } from '@keelson/database';
import { HttpRoutes } from '@keelson/http';
import { migrations } from './migrations/index.js';
import { Note } from './notes/note.js';
import { NoteBook } from './notes/note-book.js';
import { notesRoutes } from './notes/notes-routes.js';
import manifest, { type NotesOptions } from './notes.manifest.js';

/** The service is a plugin like any other: it says what it needs, and the kernel starts it after that. */
export default definePlugin<NotesOptions>({
  ...manifest,

  register({ bind }) {
    bind(DatabaseModel).toConstantValue({ entities: [Note], migrations });
  },

  start({ config, container, clock }) {
    const book = new NoteBook({ clock, maxTitleLength: config.maxTitleLength });
    container.get(HttpRoutes).mount('/notes', notesRoutes(book));
  },
});
