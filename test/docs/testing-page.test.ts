import { fileURLToPath } from 'node:url';
import { HttpServer } from '@keelson/core';
import { DatabaseService } from '@keelson/database';
import { withRollback } from '@keelson/database/testing';
import { differentFiles, filesOf } from '@keelson/test-support/page-files';
import { send } from '@keelson/test-support/service-process';
import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { storedNote } from './testing/src/fixtures.js';
import { startOnPostgres } from './testing/src/start-on-postgres.js';

const folderOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

test('docs/testing.md shows the files of a folder as they are', () => {
  const { 'jest.config.js': _jest, ...files } = filesOf('testing.md');
  expect(Object.keys(files)).toHaveLength(5);
  expect(differentFiles(files, folderOf('testing'))).toEqual([]);
});

test('its services are that of the tutorial', () => {
  const { 'src/note.ts': note = '', 'src/notes.plugin.ts': plugin = '' } = filesOf('tutorial.md');
  const shared = { 'src/note.ts': note, 'src/notes.plugin.ts': plugin };
  expect(differentFiles(shared, folderOf('testing'))).toEqual([]);
});

test('a service on PostgreSQL starts on a copy of a template', async () => {
  const { url: server } = inject('databaseServer');
  await using first = await startOnPostgres(server);
  await using second = await startOnPostgres(server);
  const url = first.kernel.container.get(HttpServer).url;
  expect(await send(`${url}/notes`, 'POST', { text: 'Milk' })).toMatchObject({ status: 201 });
  expect(second.kernel.logger.find('migrations applied')).toBeUndefined();
  const database = second.kernel.container.get(DatabaseService);
  await withRollback(database, async em => {
    expect(await storedNote(em, { text: 'Bread' })).toMatchObject({ id: 1, text: 'Bread' });
  });
  await dropTemplates(server);
}, 60_000);

async function dropTemplates(server: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  const { rows } = await client.query(`select datname from pg_database where datname like 'keelson_template_%'`);
  for (const { datname } of rows) await client.query(`drop database ${datname}`);
  await client.end();
}
