import { BenchDatabase } from './bench-database.js';
import { countsOf } from './counts.js';
import { serviceKind } from './service-kinds.js';
export async function main(w: readonly string[]) {
  await using db = await BenchDatabase.start();
  for (const k of w)
    console.log(k, await countsOf(serviceKind(k), { databaseUrl: db.url, logFile: '/tmp/w/bench-log' }));
  return 0;
}
