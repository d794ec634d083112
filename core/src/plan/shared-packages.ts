import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { displayPath } from '../config/place.js';
import type { Problem } from '../config/problem.js';
import { isPath, pathOf } from './package-entry.js';
import { readPackageFile, upwards } from './package-names.js';
import type { ResolvedPlugin } from './resolve-plugin.js';

/** Packages whose objects pass between plugins: those of another copy are strangers to each other. */
const shared: Readonly<Record<string, 'one copy' | 'one major version'>> = {
  '@keelson/core': 'one copy',
  '@mikro-orm/core': 'one copy',
  zod: 'one major version',
};

/** One installed copy, and who gets it. */
interface Copy {
  readonly folder: string;
  readonly users: string[];
}

let foundKernel: string | undefined;

/** Looked up when it is needed: a bundle has no such folder. */
function kernelFolder(): string {
  foundKernel ??= realpathSync.native(fileURLToPath(new URL('../..', import.meta.url)));
  return foundKernel;
}

/**
 * Looks which copy of each shared package the kernel, the service and its plugins get; reports where they differ. Reads
 * the `package.json` of each and imports nothing.
 */
export function sharedPackageProblems(directory: string, plugins: readonly ResolvedPlugin[]): Problem[] {
  const users = usersOf(directory, plugins);
  return Object.entries(shared).flatMap(([name, rule]) => {
    const copies = copiesOf(name, users);
    if (copies.length < 2) return [];
    const kinds = new Set(copies.map(({ folder }) => (rule === 'one copy' ? folder : majorOf(versionOf(folder)))));
    return kinds.size > 1 ? [duplicate(name, copies)] : [];
  });
}

interface User {
  readonly label: string;
  readonly folder: string;
  /** It may import what stands above it without naming it as a dependency. */
  readonly isLoose: boolean;
  readonly dependencies: readonly string[];
}

function usersOf(directory: string, plugins: readonly ResolvedPlugin[]): User[] {
  const users = new Map<string, User>();
  const add = (user: Omit<User, 'dependencies'>, dependencies = dependenciesOf(user.folder)) => {
    if (!users.has(user.folder)) users.set(user.folder, { ...user, dependencies });
    return dependencies;
  };
  const seen = new Set<string>();
  add({ label: '@keelson/core', folder: kernelFolder(), isLoose: false });
  add({ label: 'the service', folder: directory, isLoose: true });
  for (const { source, entry } of plugins) {
    const use = entry.use ?? '';
    if (source === 'file' && isPath(use)) {
      add({ label: use, folder: dirname(pathOf(use, directory)), isLoose: true });
    }
    const folder = source === 'package' ? folderOf(use, directory) : undefined;
    if (folder === undefined) continue;
    // What all drivers of a slot have in common is a package of its own, and brings the shared one.
    for (const name of add({ label: use, folder, isLoose: false })) {
      const below = name in shared ? undefined : folderOf(name, folder);
      if (below === undefined || seen.has(below)) continue;
      seen.add(below);
      const dependencies = dependenciesOf(below);
      if (dependencies.some(each => each in shared)) add({ label: name, folder: below, isLoose: false }, dependencies);
    }
  }
  return [...users.values()];
}

function copiesOf(name: string, users: readonly User[]): Copy[] {
  const copies = new Map<string, Copy>();
  for (const { label, folder, isLoose, dependencies } of users) {
    const isOwn = name === '@keelson/core' && folder === kernelFolder();
    const uses = isOwn || isLoose || dependencies.includes(name) || existsSync(join(folder, 'node_modules', name));
    const found = isOwn ? folder : uses ? folderOf(name, folder) : undefined;
    if (found === undefined) continue;
    const copy = copies.get(found) ?? { folder: found, users: [] };
    copy.users.push(label);
    copies.set(found, copy);
  }
  return [...copies.values()];
}

function duplicate(name: string, copies: readonly Copy[]): Problem {
  const places = copies.map(
    ({ folder, users }) => `${versionOf(folder)} in ${displayPath(folder)} (for ${users.join(', ')})`,
  );
  const major = majorOf(copies[0] === undefined ? '' : versionOf(copies[0].folder));
  return {
    code: 'PLAN_PACKAGE_DUPLICATE',
    message: `${name} is installed more than once, and one copy does not recognize the objects of another: ${places.join('; ')}.`,
    action:
      shared[name] === 'one copy'
        ? `Install one version for all (npm ls ${name} shows the packages that need it), then run: npm dedupe`
        : `Install version ${major} of ${name} everywhere: npm install ${name}@${major}`,
  };
}

function versionOf(folder: string): string {
  return readPackageFile(folder).version ?? 'unknown';
}

function majorOf(version: string): string {
  return version.split('.')[0] ?? version;
}

function dependenciesOf(folder: string): string[] {
  const { dependencies, peerDependencies } = readPackageFile(folder);
  return Object.keys({ ...dependencies, ...peerDependencies });
}

/**
 * Where a module in `folder` finds the package; undefined when it does not. Looked up by hand, because this is asked of every
 * dependency of every plugin, and `findPackageJSON` reads each file that it finds.
 */
function folderOf(name: string, folder: string): string | undefined {
  const found = upwards(folder)
    .map(above => join(above, 'node_modules', name))
    .find(existsSync);
  return found === undefined ? undefined : realpathSync.native(found);
}
