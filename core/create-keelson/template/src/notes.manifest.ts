import { defineManifest, HttpServer } from '@keelson/core';
import { DatabaseService } from '@keelson/database/contract';
import { HttpRoutes } from '@keelson/http/contract';
import { z } from 'zod';

const options = z.strictObject({
  maxTitleLength: z.int().min(10).max(200).default(80).describe('Longest title of a note, in characters.'),
});

export type NotesOptions = z.output<typeof options>;

/** The manifest stands apart from the plugin, so that `keelson check` loads neither MikroORM nor Express. */
export default defineManifest<NotesOptions>({
  name: 'notes',
  config: options,
  requires: [DatabaseService, HttpServer, HttpRoutes],
});
