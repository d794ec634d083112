import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guard } from './guardian.js';

let folder: string | undefined;

/**
 * Variables for the processes that a test file starts: a temporary folder of their own, in which running services are
 * found, for one file must not find those of another; what Node has compiled is kept for all. Removed when the tests of
 * the file have ended.
 */
export function temporaryFolder(): { readonly TMPDIR: string; readonly NODE_COMPILE_CACHE: string } {
  folder ??= makeFolder();
  return { TMPDIR: folder, NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') };
}

function makeFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'keelson-tmp-'));
  guard(path);
  return path;
}
