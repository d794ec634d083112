import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guard } from './guardian.js';

let folder: string | undefined;

/**
 * `TMPDIR` of the processes that a test file starts, in which running services are found: one file must not find those
 * of another. Removed when the tests of the file have ended.
 */
export function temporaryFolder(): string {
  folder ??= makeFolder();
  return folder;
}

function makeFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'keelson-tmp-'));
  guard(path);
  return path;
}
