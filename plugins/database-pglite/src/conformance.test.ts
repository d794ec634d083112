import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeptProgram } from '@keelson/core';
import type { DatabaseModel } from '@keelson/database';
import { conformanceModel, type DatabaseHarness, databaseConformance } from '@keelson/database/testing';
import { copyEmptyPglite } from '@keelson/test-support/empty-pglite';
import { createPgliteService, type PgliteService } from '@keelson/test-support/pglite-service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KeptDatabase } from './kept/kept-database.js';

/** They differ in how bytes are exchanged, which what a flush finds to store has no part in. */
const ofUnitOfWork = /^(undoes|stores|flushes|refuses an? entity) /;
const places = ['in this process', 'kept open for one process after the other'];

describe.each(places)('PGlite, %s, keeps the promises of a database driver', { timeout: 60_000 }, place => {
  let folder: string;
  let shared: PgliteService;
  let copies = 0;
  const kept = new AsyncDisposableStack();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keelson-pglite-'));
    shared = await service([conformanceModel]);
    await shared.database.connect();
    await shared.database.migrate();
  }, 120_000);

  afterAll(async () => {
    await shared[Symbol.asyncDispose]();
    await kept.disposeAsync();
    await rm(folder, { recursive: true, force: true });
  });

  const service = async (models: readonly DatabaseModel[]) => {
    const dataDir = join(folder, `copy-${++copies}`);
    await copyEmptyPglite(dataDir);
    return createPgliteService({ options: { dataDir }, models, ...(place !== places[0] && { keepProcess }) });
  };

  const keepProcess = async ({ words: [dataDir = ''] }: KeptProgram) => {
    const address = join(folder, `${copies}.sock`);
    kept.use(await KeptDatabase.listen(dataDir, address));
    return address;
  };

  const harness = (): DatabaseHarness => ({
    database: shared.database,
    open: async ({ models }) => [(await service(models)).database],
  });

  for (const { name, run, requires, lacks } of databaseConformance(harness)) {
    if (place !== places[0] && ofUnitOfWork.test(name)) continue;
    test(name, async () => {
      const { capabilities } = shared.database;
      const isKept =
        requires.every(each => capabilities.has(each)) && !(lacks !== undefined && capabilities.has(lacks));
      expect(await run()).toBe(isKept ? 'passed' : 'not-applicable');
    });
  }
});
