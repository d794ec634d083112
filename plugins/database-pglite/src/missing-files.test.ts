import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { engineFiles, missingFiles } from './missing-files.js';

const place = mkdtempSync(join(tmpdir(), 'keelson-missing-files-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** The URL of a file in `dist` of a package of that name. */
function codeIn(name: string): string {
  const folder = join(place, name);
  mkdirSync(join(folder, 'dist'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name }));
  return pathToFileURL(join(folder, 'dist/code.js')).href;
}

test('a bundle needs the files of PGlite beside it, also in the folder of a package', () => {
  const code = codeIn('my-service');
  expect(missingFiles(code)).toMatchObject([{ code: 'PGLITE_FILES_MISSING' }]);
  for (const file of engineFiles) writeFileSync(join(place, 'my-service/dist', file), '');
  expect(missingFiles(code)).toEqual([]);
});

test('code in its package needs none, whatever the file is called', () => {
  expect(missingFiles(codeIn('@keelson/database-pglite'))).toEqual([]);
});
