import { existsSync, readFileSync } from 'node:fs';
import { createRequire, findPackageJSON } from 'node:module';
import path, { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export interface InstalledPackage {
  readonly name: string;
  readonly version: string | undefined;
  /** What `import '<name>'` loads. */
  readonly main: URL;
  /** What `import '<name>/manifest'` loads; undefined when the package has no such entry. */
  readonly manifest: URL | undefined;
}

interface PackageFile {
  readonly name?: string;
  readonly version?: string;
  readonly main?: string;
  readonly exports?: unknown;
}

/** The conditions under which `import` finds an entry. */
const conditions = new Set(['node', 'import', 'module-sync', 'default']);

/** Finds the package as a file in `directory` would; loads none of it. Undefined when it is not installed. */
export function findPackage(name: string, directory: string): InstalledPackage | undefined {
  if (!isPackageName(name)) return undefined;
  const file = packageFile(name, directory);
  return file === undefined ? undefined : readPackage(file, () => legacyMain(name, importerIn(directory)));
}

/** The package in the folder `root`; undefined when there is none. */
export function findPackageAt(root: string): InstalledPackage | undefined {
  const file = join(root, 'package.json');
  return existsSync(file) ? readPackage(file, () => legacyMain(root, file)) : undefined;
}

function readPackage(file: string, legacy: () => URL | undefined): InstalledPackage | undefined {
  const contents = JSON.parse(readFileSync(file, 'utf8')) as PackageFile;
  const root = dirname(file);
  const entry = (key: string) => {
    const target = exported(contents.exports, key);
    return target === undefined ? undefined : pathToFileURL(join(root, target));
  };
  const main = entry('.') ?? legacy();
  return main && { name: contents.name ?? root, version: contents.version, main, manifest: entry('./manifest') };
}

/** A file in `directory`, in whose place is looked for what it would import. */
function importerIn(directory: string): string {
  return join(directory, 'keelson.js');
}

/** The `package.json` of what a file in `directory` would import; undefined when it is not installed. */
export function packageFile(name: string, directory: string): string | undefined {
  try {
    return findPackageJSON(name, pathToFileURL(importerIn(directory)));
  } catch {
    return undefined;
  }
}

function legacyMain(name: string, from: string): URL | undefined {
  try {
    return pathToFileURL(createRequire(from).resolve(name));
  } catch {
    return undefined;
  }
}

/** Node's rules for `exports`, for the two plain keys that matter here. */
function exported(exports: unknown, key: string): string | undefined {
  if (exports === undefined || exports === null) return undefined;
  const hasKeys = typeof exports === 'object' && Object.keys(exports).some(name => name.startsWith('.'));
  if (!hasKeys) return key === '.' ? target(exports) : undefined;
  return target((exports as Record<string, unknown>)[key]);
}

function target(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(target).find(found => found !== undefined);
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [condition, below] of Object.entries(value)) {
    const found = conditions.has(condition) ? target(below) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether npm could install something of that name. */
export function isPackageName(name: string): boolean {
  return /^(@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*$/.test(name);
}

/** Whether the text of `use` is a path rather than the name of a package. */
export function isPath(use: string): boolean {
  return /^(\.{1,2}[\\/]|[\\/]|file:\/\/|[A-Za-z]:[\\/])/.test(use);
}

/** The file that a path or a file URL names; relative to `directory`. `paths` are those of another system, in a test. */
export function pathOf(use: string, directory: string, paths: Pick<typeof path, 'resolve' | 'sep'> = path): string {
  try {
    if (use.startsWith('file://')) return fileURLToPath(use, { windows: paths.sep === '\\' });
  } catch {
    // A URL of another host, or with an encoded slash, names no file here.
  }
  return paths.resolve(directory, use);
}

/** The default export of the module at `url`. */
export async function importDefault<T>(url: URL): Promise<T> {
  return defaultOf<T>((await import(url.href)) as { readonly default?: unknown });
}

/** The default export of a module, also of a CommonJS module that a compiler gave a `default` of its own. */
export function defaultOf<T>({ default: value }: { readonly default?: unknown }): T {
  const nested = (value as { default?: unknown } | null | undefined)?.default;
  return (nested ?? value) as T;
}
