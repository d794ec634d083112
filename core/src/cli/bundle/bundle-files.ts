import { copyFileSync, cpSync, existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Files that code reads beside itself, and that no bundler copies: the package that has them, and where they are in it. */
const needed: readonly { readonly of: string; readonly files: readonly string[] }[] = [
  { of: '@electric-sql/pglite', files: ['dist/pglite.wasm', 'dist/pglite.data', 'dist/initdb.wasm'] },
  { of: '@keelson/http', files: ['assets'] },
];

/**
 * Copies what a bundle reads into `folder`: its configuration, and files of the packages that are part of it. `inputs` are
 * the files of its code. Returns the names of the copies.
 */
export function copyBundleFiles(
  folder: string,
  configuration: readonly string[],
  inputs: readonly string[],
): readonly string[] {
  const packages = packagesOf(inputs);
  const files = needed
    .flatMap(({ of, files: paths }) => {
      const folder = packages.get(of);
      return folder === undefined ? [] : paths.map(path => join(folder, path));
    })
    .filter(existsSync);
  for (const file of configuration) copyFileSync(file, join(folder, basename(file)));
  for (const file of files) cpSync(file, join(folder, basename(file)), { recursive: true, dereference: true });
  return [...configuration, ...files].map(file => basename(file));
}

/** The folder of each package that has one of the files, by name. A package manager may keep it anywhere. */
function packagesOf(files: readonly string[]): ReadonlyMap<string, string> {
  const folders = new Set<string>();
  const packages = new Map<string, string>();
  for (const file of files) {
    for (let folder = dirname(file); !folders.has(folder); folder = dirname(folder)) {
      folders.add(folder);
      const name = packageName(join(folder, 'package.json'));
      if (name !== undefined && !packages.has(name)) packages.set(name, folder);
    }
  }
  return packages;
}

function packageName(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const { name }: { name?: unknown } = JSON.parse(readFileSync(file, 'utf8'));
  return typeof name === 'string' ? name : undefined;
}
