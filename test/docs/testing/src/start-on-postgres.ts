import { systemClock } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import database from '@keelson/database-postgresql';
import { createTestDatabase } from '@keelson/database-postgresql/testing';
import http from '@keelson/http-express';
import { CreateNotes } from './note.ts';
import notes from './notes.plugin.ts';

/** `server`: postgresql://user:password@localhost/postgres, with a role that may create databases. */
export async function startOnPostgres(server: string) {
  const copy = await createTestDatabase({
    server,
    key: [CreateNotes].map(String).join(), // a changed migration needs a new template
    prepare: async url => void (await (await start(url)).stop()),
  });
  const kernel = await start(copy.url);
  return {
    kernel,
    async [Symbol.asyncDispose]() {
      await kernel.stop();
      await copy[Symbol.asyncDispose]();
    },
  };
}

function start(url: string) {
  return createTestKernel({
    plugins: [database, http, notes],
    values: { database: { url, migrations: { atStart: true } }, http: { port: 0, host: '127.0.0.1' } },
    clock: systemClock,
  });
}
