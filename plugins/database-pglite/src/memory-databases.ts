import { PGlite } from '@electric-sql/pglite';

/** A service has one or two databases in memory; a process that makes more of them is a test. */
const mostOfService = 2;

let made = 0;
let empty: Blob | undefined;

/**
 * Makes a new database in memory, from `dump` or else empty. Where many are made, one after the other, they are copies of an empty one: that
 * takes less than half of the time. The process keeps the copy, some 40 MB; a service makes none.
 */
export async function createInMemory(dump: Blob | undefined = empty): Promise<PGlite> {
  if (dump !== undefined) return PGlite.create({ loadDataDir: dump });
  const pglite = await PGlite.create({});
  made += 1;
  if (made > mostOfService) empty = await pglite.dumpDataDir('none');
  return pglite;
}
