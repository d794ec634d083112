import { copyFileSync, cpSync, existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { packageFile } from '../../plan/package-entry.js';

/** Files that code reads beside itself, and that no bundler copies: by the package that needs them, where they are. */
const needed: readonly { readonly of: string; readonly from: string; readonly files: readonly string[] }[] = [
  {
    of: '@keelson/database-pglite',
    from: '@electric-sql/pglite',
    files: ['dist/pglite.wasm', 'dist/pglite.data', 'dist/initdb.wasm'],
  },
  { of: '@keelson/http', from: '@keelson/http', files: ['assets'] },
];

/** Copies what the bundle in `folder` reads: its configuration, and files of packages. Returns their names. */
export function copyBundleFiles(directory: string, folder: string, configuration: readonly string[]): string[] {
  const copied = configuration.map(file => {
    copyFileSync(file, join(folder, basename(file)));
    return basename(file);
  });
  return [...copied, ...needed.flatMap(({ of, from, files }) => copyOf(directory, folder, of, from, files))];
}

function copyOf(directory: string, folder: string, user: string, name: string, files: readonly string[]): string[] {
  const own = packageFile(user, directory);
  const root = own && packageFile(name, dirname(own));
  if (root === undefined) return [];
  return files
    .map(file => join(dirname(root), file))
    .filter(existsSync)
    .map(file => {
      cpSync(file, join(folder, basename(file)), { recursive: true, dereference: true });
      return basename(file);
    });
}
