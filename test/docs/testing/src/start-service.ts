import { HttpServer, systemClock } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { DatabaseService } from '@keelson/database';
import { embeddedDatabase } from '@keelson/database-pglite/testing';
import http from '@keelson/http-express';
import { Note } from './note.ts';
import notes from './notes.plugin.ts';

/** Stores the rows that every test finds. Keelson calls it once, when it creates the template. */
async function prepare(database: DatabaseService): Promise<void> {
  await database.session(em => em.insert(Note, { text: 'always here' }));
}

export async function startService() {
  const kernel = await createTestKernel({
    plugins: [embeddedDatabase({ prepare }), http, notes],
    values: { database: { migrations: { atStart: true } }, http: { port: 0, host: '127.0.0.1' } },
    clock: systemClock, // sockets and databases need real time
  });
  const { url } = kernel.container.get(HttpServer);
  return {
    database: kernel.container.get(DatabaseService),
    get: async (path: string) => (await fetch(`${url}${path}`)).json(),
    post: async (path: string, body: unknown) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: response.status, body: await response.json() };
    },
    stop: () => kernel.stop(),
  };
}
