import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import type {} from './global-setup.js';
import { createPgliteService } from './pglite-service.js';

/** Makes `dataDir` the folder of an empty PGlite database: a copy, because the first start of a folder takes seconds. */
export async function copyEmptyPglite(dataDir: string): Promise<void> {
  const original = join(inject('sharedFolder'), 'empty-pglite');
  if (!existsSync(original)) await makeEmptyPglite(original);
  cpSync(original, dataDir, { recursive: true });
}

/** Two files may make it at the same time: the first to be done wins. */
async function makeEmptyPglite(original: string): Promise<void> {
  const draft = join(mkdtempSync(`${original}-`), 'data');
  const { database } = createPgliteService({ options: { dataDir: draft } });
  await database.connect();
  await database.disconnect();
  try {
    renameSync(draft, original);
  } catch (error) {
    if (!existsSync(original)) throw error;
    rmSync(draft, { recursive: true });
  }
}
