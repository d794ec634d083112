import { isKeelsonError, KeelsonError } from '@keelson/core';
import type { DatabaseService } from '@keelson/database/contract';
import { ExpiredRows, type ExpiredRowsParts } from '../expired-rows.js';
import { countTable, createCountIndex, createCountTable, deleteEnded, readNoCount } from './count-table.js';

const session = 'http.rate-limits';

/**
 * Makes the table of counts where it is missing, and deletes windows that have ended until the result is disposed of.
 *
 * @throws KeelsonError HTTP_RATE_LIMIT_TABLE, or why the database cannot be asked.
 */
export async function countCleaner(
  parts: Pick<ExpiredRowsParts, 'database' | 'clock' | 'logger' | 'everyMs' | 'random'>,
): Promise<ExpiredRows> {
  const { database, clock, logger, everyMs, random } = parts;
  if (!(await hasTable(database))) await makeTable(database);
  const cleaner = new ExpiredRows({
    database,
    clock,
    logger,
    everyMs,
    random,
    session,
    what: 'ended windows of rate limits',
    deleteSql: deleteEnded,
  });
  cleaner.start();
  return cleaner;
}

/** Of the primary: a replica has no unlogged tables. */
async function hasTable(database: DatabaseService): Promise<boolean> {
  try {
    await database.read(em => em.execute(readNoCount), { name: session, fresh: true });
    return true;
  } catch (error) {
    if (!isKeelsonError(error) || error.facts.kind !== 'undefined-table') throw error;
    return false;
  }
}

/** Another instance may make it at the same moment, which the server may refuse here. */
async function makeTable(database: DatabaseService): Promise<void> {
  try {
    await database.session(
      async em => {
        await em.execute(createCountTable);
        await em.execute(createCountIndex);
      },
      { name: session },
    );
  } catch (error) {
    if (await hasTable(database)) return;
    throw new KeelsonError({
      code: 'HTTP_RATE_LIMIT_TABLE',
      message: `The table ${countTable} of the rate limits is missing, and the service could not create it.`,
      hint: `Allow the role of the service to create tables, or run: ${oneLine(createCountTable)}; ${createCountIndex}`,
      cause: error,
    });
  }
}

function oneLine(sql: string): string {
  return sql.replaceAll(/\s+/g, ' ').trim();
}
