import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { displayPath } from '../../config/place.js';
import { KeelsonError } from '../../contract/keelson-error.js';

/**
 * Writes a file that the operator has named; an existing one is replaced. Its folder is made only with `makeFolder`.
 *
 * @throws KeelsonError `CLI_OUTPUT_UNWRITABLE`.
 */
export function writeOutput(file: string, text: string, { makeFolder = false } = {}): void {
  try {
    if (makeFolder) mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new KeelsonError({
      code: 'CLI_OUTPUT_UNWRITABLE',
      message: `The file ${displayPath(file)} cannot be written (${reason}).`,
      hint: hintFor(reason, displayPath(dirname(file))),
      facts: { file, reason },
      cause: error,
    });
  }
}

function hintFor(reason: string, folder: string): string {
  if (reason === 'ENOENT' || reason === 'ENOTDIR') return `Create the folder ${folder} first: mkdir -p ${folder}`;
  if (reason === 'EISDIR') return 'It is a folder; name a file in it.';
  return `Check the permissions of ${folder} and its free space, or name another place.`;
}
