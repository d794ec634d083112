import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { DatabaseModel } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { differentFiles, filesOf } from '@keelson/test-support/page-files';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { TsMorphMetadataProvider } from '@mikro-orm/reflection';
import { afterAll, beforeAll, expect, test } from 'vitest';

const directory = fileURLToPath(new URL('mikro-orm', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
let testDatabase: TestDatabase;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  for (const project of ['.', 'legacy']) await run(process.execPath, [tsc, '-p', join(directory, project)]);
}, 60_000);

afterAll(async () => {
  rmSync(join(directory, 'dist'), { recursive: true, force: true });
  await testDatabase[Symbol.asyncDispose]();
});

/** The command line of MikroORM itself, in the folder of the service. */
async function mikroOrm(...words: string[]): Promise<string> {
  const { PATH, HOME } = process.env;
  const { stdout } = await run(process.execPath, [join(root, 'node_modules/@mikro-orm/cli/cli.js'), ...words], {
    cwd: directory,
    env: { PATH, HOME, NO_COLOR: '1', DATABASE_URL: testDatabase.url },
  });
  return stdout;
}

test('docs/mikro-orm.md shows the files of a folder as they are', () => {
  const files = filesOf('mikro-orm.md');
  expect(Object.keys(files)).toHaveLength(5);
  expect(differentFiles(files, directory)).toEqual([]);
});

test('mikro-orm finds the database, the entities and the migrations of a service', async () => {
  expect(await mikroOrm('debug')).toMatch(/database connection successful[\s\S]*contains 1 references/);
  expect(await mikroOrm('schema:update', '--dump')).toContain('create table "authors"');
  expect(await mikroOrm('migration:pending')).toContain('CreateAuthors');
  expect(await mikroOrm('migration:up')).toContain('Successfully migrated');
  const { stdout } = await runKeelson(['migrate', 'status'], {
    directory,
    variables: { DATABASE_URL: testDatabase.url },
  });
  expect(stdout).toMatch(/applied .*CreateAuthors/);
  expect(await mikroOrm('schema:update', '--dump')).not.toContain('create table');
}, 120_000);

interface Compiled {
  readonly Book: new () => { id: number; title: string };
  readonly bookModel: DatabaseModel;
}

const tsMorph = { metadataProvider: TsMorphMetadataProvider, metadataCache: { enabled: false } };

test('decorated entities have the types that the compiler emits, or that ts-morph reads', async () => {
  const { Book, bookModel }: Compiled = await import(join(directory, 'dist/legacy/book.js'));
  const read: DatabaseModel = { entities: [Book], orm: tsMorph };
  for (const model of [bookModel, read]) {
    await using service = createPostgresqlService({ url: testDatabase.url, models: [model] });
    await service.database.connect();
    await service.database.session(em =>
      em.execute('create table if not exists books (id serial primary key, title varchar(255) not null)'),
    );
    await service.database.session(async em => void (await em.insert(Book, { title: 'Moby' })));
    expect(await service.database.read(em => em.findOne(Book, { title: 'Moby' }))).toMatchObject({ title: 'Moby' });
  }
}, 60_000);
