import { chmodSync, chownSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { guard } from './guardian.js';
import { postgresIdentity } from './postgres-binaries.js';

/** A directory for unix sockets of a PostgreSQL: its path is short, and the user of the server may write to it. */
export function socketFolder(): string {
  const folder = mkdtempSync(join('/tmp', 'keelson-s-'));
  guard(folder);
  chmodSync(folder, 0o755);
  if (postgresIdentity.uid !== undefined && postgresIdentity.gid !== undefined) {
    chownSync(folder, postgresIdentity.uid, postgresIdentity.gid);
  }
  return folder;
}
