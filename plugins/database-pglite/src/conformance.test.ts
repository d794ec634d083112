import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conformanceModel, type DatabaseHarness, databaseConformance } from '@keelson/database/testing';
import { copyEmptyPglite } from '@keelson/test-support/empty-pglite';
import { createPgliteService, type PgliteService } from '@keelson/test-support/pglite-service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe('PGlite keeps the promises of a database driver', { timeout: 60_000 }, () => {
  let folder: string;
  let shared: PgliteService;
  let copies = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keelson-pglite-'));
    shared = createPgliteService({ options: { dataDir: await copy() }, models: [conformanceModel] });
    await shared.database.connect();
    await shared.database.migrate();
  }, 120_000);

  afterAll(async () => {
    await shared[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const copy = async () => {
    const dataDir = join(folder, `copy-${++copies}`);
    await copyEmptyPglite(dataDir);
    return dataDir;
  };

  const harness = (): DatabaseHarness => ({
    database: shared.database,
    open: async ({ models }) => [createPgliteService({ options: { dataDir: await copy() }, models }).database],
  });

  for (const { name, run, requires, lacks } of databaseConformance(harness)) {
    test(name, async () => {
      const { capabilities } = shared.database;
      const has = requires === undefined || capabilities.has(requires);
      const keeps = has && (lacks === undefined || !capabilities.has(lacks));
      expect(await run()).toBe(keeps ? 'passed' : 'not-applicable');
    });
  }
});
