import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeptDatabase } from './kept-database.js';

/** The process of a database that outlives the restarts of `keelson dev`: keeps it open until its parent ends. */
const [dataDir = ''] = process.argv.slice(2);
const isWindows = process.platform === 'win32';
// Other users cannot enter this folder, so they cannot connect.
const folder = isWindows ? '\\\\.\\pipe\\' : mkdtempSync(join(tmpdir(), 'keelson-pglite-'));
const address = join(folder, isWindows ? `keelson-pglite-${process.pid}` : 'socket');
const database = await KeptDatabase.listen(dataDir, address);

// A terminal may send its signals to all that run in it; the parent decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
process.once('disconnect', async () => {
  try {
    await database[Symbol.asyncDispose]();
  } finally {
    if (!isWindows) rmSync(folder, { recursive: true, force: true });
    process.exit();
  }
});
process.send?.(address);
