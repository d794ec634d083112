import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { conformanceModel } from '@keelson/database/testing';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import type { Migration } from '@mikro-orm/migrations';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Observed, runScript } from './fidelity/run-script.ts';
import { scripts } from './fidelity/scripts.ts';
import { questionTexts } from './postgres/commands.ts';
import { tables } from './service/model.ts';

const child = fileURLToPath(new URL('./fidelity/child.ts', import.meta.url));
const tokenTable =
  'create table keelson_commit_tokens (token uuid primary key, expires_at timestamptz not null, refused boolean not null default false)';

/** The statements of the migrations of the conformance suite. */
async function tablesOfConformance(): Promise<readonly string[]> {
  const statements: string[] = [];
  for (const migration of Object.values(conformanceModel.migrations ?? {})) {
    const made: Migration = Reflect.construct(migration, []);
    await made.up();
    statements.push(...made.getQueries().map(String));
  }
  return statements;
}

describe('the simulated server answers as PostgreSQL does', () => {
  let database: TestDatabase;
  let simulated: Record<string, readonly Observed[]>;
  let admin: pg.Client;
  const waits = {
    sleep: (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms)),
    untilBlocked: (pid: number) =>
      eventually(async () => {
        const { rows } = await admin.query('select cardinality(pg_blocking_pids($1)) as count', [pid]);
        expect(rows[0].count).toBeGreaterThan(0);
      }),
  };

  beforeAll(async () => {
    database = await createTestDatabase();
    admin = new pg.Client({ connectionString: database.adminUrl });
    await admin.connect();
    const owner = new pg.Client({ connectionString: database.url });
    await owner.connect();
    for (const sql of [...Object.values(tables), tokenTable, ...(await tablesOfConformance())]) await owner.query(sql);
    await owner.end();
    const { stdout } = await promisify(execFile)(process.execPath, [child]);
    const { seen, isDone, violations } = JSON.parse(stdout);
    expect({ isDone, violations }).toEqual({ isDone: true, violations: [] });
    simulated = seen;
  });
  afterAll(async () => {
    await admin.end();
    await database[Symbol.asyncDispose]();
  });

  test.each(scripts)('$name', async script => {
    const real = await runScript(script, { connectionString: database.url }, waits);
    // As the child writes what it has seen: a moment is a text there.
    expect(simulated[script.name]).toEqual(JSON.parse(JSON.stringify(real)));
  });

  test('to each question of Keelson, in columns of the same names and types', async () => {
    const steps = questionTexts.map(sql => ({ on: 'a', sql }));
    const real = await runScript({ name: 'questions', steps }, { connectionString: database.url }, waits);
    const columnsOf = (all: readonly Observed[] = []) =>
      all.map(({ step, columns, refused }) => ({ step, columns, refused }));
    expect(columnsOf(simulated.questions)).toEqual(columnsOf(real));
  });
});
