import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPgliteService } from '@keelson/test-support/pglite-service';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { prepareDataDir } from './data-dir.js';

describe('the folder of a PGlite database', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keelson-data-dir-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('is made when it is missing, and may be empty', async () => {
    await prepareDataDir(join(folder, 'data'));
    await prepareDataDir(join(folder, 'data'));
    expect(readdirSync(folder)).toEqual(['data']);
  });

  test('is not made together with its parent', async () => {
    const dataDir = join(folder, 'mistyped', 'data');
    await expect(prepareDataDir(dataDir)).rejects.toMatchObject({
      code: 'PGLITE_FOLDER_UNUSABLE',
      message: `The data folder ${dataDir} cannot be created: ${join(folder, 'mistyped')} does not exist.`,
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each(['/proc/keelson', '/proc/keelson/data', '/proc/self/keelson', '/dev/null/data'])(
    'is refused at once where no folder can be made: %s',
    async dataDir => {
      await using service = createPgliteService({ options: { dataDir } });
      await expect(service.database.connect()).rejects.toMatchObject({
        code: 'DATABASE_CONNECT_FAILED',
        message: expect.stringContaining(`The data folder ${dataDir} cannot be`),
        cause: { code: 'PGLITE_FOLDER_UNUSABLE' },
      });
    },
  );

  test.each(['package.json', 'src', '.env', 'base.txt'])(
    'is refused, and left as it is, when it holds %s',
    async name => {
      writeFileSync(join(folder, name), 'mine');
      await using service = createPgliteService({ options: { dataDir: folder } });
      await expect(service.database.connect()).rejects.toMatchObject({
        code: 'DATABASE_CONNECT_FAILED',
        message: `The data folder ${folder} contains other files (1), and no database.`,
        hint: expect.stringContaining('Set dataDir to a folder'),
      });
      expect(readdirSync(folder)).toEqual([name]);
    },
  );

  test('may hold what a file system or version control has put there, and a database begun and not finished', async () => {
    for (const name of ['lost+found', 'base', 'pg_wal']) mkdirSync(join(folder, name));
    for (const name of ['.gitkeep', 'keelson.lock', 'postgresql.conf', 'pg_hba.conf']) {
      writeFileSync(join(folder, name), '');
    }
    await prepareDataDir(folder);
  });

  test('may hold more than a database once it holds one', async () => {
    for (const name of ['PG_VERSION', 'notes.txt']) writeFileSync(join(folder, name), '');
    await prepareDataDir(folder);
  });

  test('is refused when it is a file, or leads nowhere', async () => {
    writeFileSync(join(folder, 'file'), '');
    symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
    for (const name of ['file', 'link']) {
      await expect(prepareDataDir(join(folder, name))).rejects.toMatchObject({ code: 'PGLITE_FOLDER_UNUSABLE' });
    }
  });

  test('is refused when its lock cannot be read', async () => {
    mkdirSync(join(folder, 'keelson.lock'));
    await using service = createPgliteService({ options: { dataDir: folder } });
    await expect(service.database.connect()).rejects.toMatchObject({
      message: `The data folder ${folder} cannot be written to (EISDIR).`,
    });
  });
});
