import type { Diagnosis } from '@keelson/core';
import type { DatabaseService } from '../database-service.js';
import type { CommonDatabaseOptions } from '../options.js';
import { proofOf } from './chosen-proof.js';
import { TokenTable } from './token-table.js';

/** Whether the table of the commit tokens is there; undefined where tokens are not the proof. Rejects when it cannot be asked. */
export async function aboutTokens(
  database: DatabaseService,
  { commitProof, commitTokens }: CommonDatabaseOptions,
  signal: AbortSignal,
): Promise<Diagnosis | undefined> {
  if (proofOf(commitProof, database.capabilities) !== 'token') return undefined;
  const table = new TokenTable(commitTokens.tableName, commitTokens.keepMs);
  const [row] = await database.session(
    em => em.execute<[{ found: boolean }]>('select to_regclass(?) is not null as found', [table.quotedName]),
    { name: 'diagnose', readOnly: true, fresh: true, nested: 'separate', signal },
  );
  const name = 'commit tokens';
  if (row.found) return { name, status: 'pass', output: `The table ${table.name} exists.` };
  const hint = `The next start creates the table if its role is allowed to. Otherwise run as another role: ${table.ddl}; ${table.grants}.`;
  return { name, status: 'warn', output: `The table ${table.name} is missing.`, hint };
}
