import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseService } from '@keelson/database';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPgliteService } from '../../../test/support/pglite-service.js';
import { Author } from '../../../test/support/sample-model.js';

describe('PGlite on a folder', { timeout: 120_000 }, () => {
  let folder: string;
  let dataDir: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keelson-pglite-'));
    dataDir = join(folder, 'made', 'when-missing');
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const started = async () => {
    const service = createPgliteService({ options: { dataDir } });
    await service.database.connect();
    return service;
  };
  const emails = (database: DatabaseService) => database.read(async em => (await em.findAll(Author)).map(a => a.email));

  test('keeps what was committed across restarts, migrates once, and takes over the lock of a dead process', async () => {
    {
      await using service = await started();
      expect(await service.database.migrate()).toEqual(['CreateAuthors']);
      await service.database.session(em => em.insert(Author, { email: 'first@example.org' }));
    }
    await writeFile(
      join(dataDir, 'keelson.lock'),
      JSON.stringify({ pid: process.pid, start: 'before the last boot', turn: 1 }),
    );
    await using service = await started();
    expect(await service.database.migrate()).toEqual([]);
    expect(await emails(service.database)).toEqual(['first@example.org']);
  });

  test('refuses a folder that a living process uses, and says which', async () => {
    await using first = await started();
    const second = createPgliteService({ options: { dataDir } });
    await expect(second.database.connect()).rejects.toMatchObject({
      code: 'DATABASE_CONNECT_FAILED',
      message: expect.stringContaining(`in use by process ${process.pid}`),
      hint: expect.stringContaining('dataDir'),
      cause: { code: 'PGLITE_FOLDER_IN_USE' },
    });
    expect(await emails(first.database)).toEqual(['first@example.org']);
  });

  test('refuses a folder that cannot be made, and leaves no lock behind', async () => {
    await writeFile(join(folder, 'file'), 'in the way');
    const service = createPgliteService({ options: { dataDir: join(folder, 'file', 'data') } });
    await expect(service.database.connect()).rejects.toMatchObject({
      code: 'DATABASE_CONNECT_FAILED',
      message: expect.stringContaining('cannot be written to'),
      cause: { code: 'PGLITE_FOLDER_UNUSABLE' },
    });
    expect(await readFile(join(folder, 'file'), 'utf8')).toBe('in the way');
  });
});
