import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { folderOfOthers, folderUnwritable, parentMissing } from './errors.js';

/** Files of PostgreSQL in the folder of a database, also when its creation was interrupted. */
const ofDatabase = /^(PG_VERSION|base|global|pg_[a-z]+(\.conf)?|postgresql(\.auto)?\.conf|postmaster\.(pid|opts))$/;
/** Files of file systems and version control in an otherwise empty folder, and our lock. */
const ofNobody = /^(lost\+found|\.gitkeep|\.gitignore|\.DS_Store|keelson\.lock.*)$/;

/**
 * Makes the folder when it is missing, but not its parent: a mistyped path must fail.
 *
 * @throws PgliteError PGLITE_FOLDER_UNUSABLE when it cannot be made or read, or holds anything but a database.
 */
export async function prepareDataDir(dataDir: string): Promise<void> {
  await make(dataDir);
  const names = await readdir(dataDir).catch((error: unknown) => {
    throw folderUnwritable(dataDir, error);
  });
  const others = names.filter(name => !ofDatabase.test(name) && !ofNobody.test(name));
  if (others.length > 0 && !names.includes('PG_VERSION')) throw folderOfOthers(dataDir, others.length);
}

async function make(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    if (code === 'ENOENT' && !(await isThere(dirname(dataDir)))) throw parentMissing(dataDir, dirname(dataDir), error);
    throw folderUnwritable(dataDir, error);
  }
}

async function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}
