import { cpSync, existsSync, openAsBlob, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Deadline, silentLogger, systemClock } from '@keelson/core';
import { optionsSchema, PgliteDriver } from '@keelson/database-pglite';
import { inject } from 'vitest';
import { eventually } from './eventually.js';
import { isFirst } from './first-maker.js';
import type {} from './global-setup.js';

/** Makes `dataDir` the folder of an empty PGlite database: a copy, because the first start of a folder takes seconds. */
export async function copyEmptyPglite(dataDir: string): Promise<void> {
  cpSync(join(await emptyPglite(), 'data'), dataDir, { recursive: true });
}

/** What a database in memory begins with to be empty. */
export async function emptyPgliteDump(): Promise<Blob> {
  return openAsBlob(join(await emptyPglite(), 'dump.tar'));
}

/** An empty database as a folder, `data`, and as a file, `dump.tar`; made once in a test run, by the first file that asks. */
async function emptyPglite(): Promise<string> {
  const folder = join(inject('sharedFolder'), 'empty-pglite');
  const draft = `${folder}.draft`;
  if (isFirst(draft)) {
    await makeEmptyPglite(draft);
    renameSync(draft, folder);
  } else {
    await eventually(() => existsSync(folder), { timeoutMs: 120_000, that: 'the database of another test file' });
  }
  return folder;
}

async function makeEmptyPglite(folder: string): Promise<void> {
  const context = { clock: systemClock, logger: silentLogger, directory: folder };
  const driver = new PgliteDriver(optionsSchema.parse({ dataDir: 'data' }), context);
  const soon = () => Deadline.after(60_000, systemClock);
  const dump = await driver.dump(soon());
  writeFileSync(join(folder, 'dump.tar'), await dump.bytes());
  await driver.close(soon());
}
