import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

export interface PublishedPackage {
  /** `@keelson/http`. */
  readonly name: string;
  /** The folder in the repository: `plugins/http`. */
  readonly folder: string;
  /** The name of its pages: `http`. */
  readonly slug: string;
  readonly version: string;
  /** The entries with code, with the file of their types: `['.', 'dist/index.d.ts']`. */
  readonly entries: readonly (readonly [entry: string, types: string])[];
}

interface PackageFile {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string | { readonly types: string }>>;
}

/** Returns every package that is published, the kernel first. */
export function publishedPackages(): readonly PublishedPackage[] {
  const folders = ['core', ...readdirSync(join(root, 'plugins')).map(name => `plugins/${name}`)];
  return folders.filter(folder => existsSync(join(root, folder, 'package.json'))).flatMap(readPublished);
}

function readPublished(folder: string): readonly PublishedPackage[] {
  const file: PackageFile = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  if (file.private === true) return [];
  const entries = Object.entries(file.exports ?? {}).flatMap(([entry, target]) =>
    typeof target === 'string' ? [] : [[entry, target.types] as const],
  );
  return [{ name: file.name, folder, slug: file.name.replace('@keelson/', ''), version: file.version, entries }];
}
