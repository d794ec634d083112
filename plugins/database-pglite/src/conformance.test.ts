import { cpSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conformanceModel, type DatabaseHarness, databaseConformance } from '@keelson/database/testing';
import { createPgliteService, type PgliteService } from '@keelson/test-support/pglite-service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe('PGlite keeps the promises of a database driver', { timeout: 60_000 }, () => {
  let folder: string;
  let shared: PgliteService;
  let copies = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keelson-pglite-'));
    // The first start of a folder takes seconds; every database of this file begins as a copy of it.
    const { database } = createPgliteService({ options: { dataDir: join(folder, 'empty') } });
    await database.connect();
    await database.disconnect();
    shared = createPgliteService({ options: { dataDir: copy() }, models: [conformanceModel] });
    await shared.database.connect();
    await shared.database.migrate();
  }, 120_000);

  afterAll(async () => {
    await shared[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const copy = () => {
    const dataDir = join(folder, `copy-${++copies}`);
    cpSync(join(folder, 'empty'), dataDir, { recursive: true });
    return dataDir;
  };

  const harness = (): DatabaseHarness => ({
    database: shared.database,
    open: async ({ models }) => [createPgliteService({ options: { dataDir: copy() }, models }).database],
  });

  for (const { name, run, requires } of databaseConformance(harness)) {
    test(name, async () => {
      const keeps = requires === undefined || shared.database.capabilities.has(requires);
      expect(await run()).toBe(keeps ? 'passed' : 'not-applicable');
    });
  }
});
