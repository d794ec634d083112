import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ConfigFinding } from '@keelson/core';

/** What PGlite reads at its start, beside its own code; a bundler copies none of it. */
export const engineFiles = ['pglite.wasm', 'pglite.data', 'initdb.wasm'];

/** Finds out whether a bundle lacks the files of PGlite. `code` is the URL of the file that this code runs from. */
export function missingFiles(code: string | undefined): ConfigFinding[] {
  if (code === undefined || isInPackage(code)) return [];
  const missing = engineFiles.filter(file => !existsSync(fileURLToPath(new URL(file, code))));
  if (missing.length === 0) return [];
  return [
    {
      code: 'PGLITE_FILES_MISSING',
      message: `The bundle has no ${missing.join(', ')} beside it, and PGlite cannot run without these files.`,
      action:
        'Copy these files from the folder dist of the package @electric-sql/pglite into the folder of the bundle.',
    },
  ];
}

/** Whether the file at `code` is one of this package: there, PGlite has its own folder. */
function isInPackage(code: string): boolean {
  const file = fileURLToPath(new URL('../package.json', code));
  return existsSync(file) && /"name": *"@keelson\/database-pglite"/.test(readFileSync(file, 'utf8'));
}
