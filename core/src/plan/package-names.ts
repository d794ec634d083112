import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { namesIn } from '../config/config-files.js';
import { nearest } from '../config/nearest.js';
import { findPackage } from './package-entry.js';

/** The plugins that are made with this package; one that is misspelled is known, installed or not. */
export const ownPlugins: readonly string[] = [
  '@keelson/console',
  '@keelson/credentials-command',
  '@keelson/credentials-file',
  '@keelson/database-pglite',
  '@keelson/database-postgresql',
  '@keelson/faults',
  '@keelson/health',
  '@keelson/http-client',
  '@keelson/http-express',
  '@keelson/http-fastify',
  '@keelson/logger-bunyan',
  '@keelson/logger-pino',
  '@keelson/metrics-otlp',
  '@keelson/metrics-prometheus',
  '@keelson/retry-cockatiel',
  '@keelson/retry-opossum',
  '@keelson/telemetry-otel',
  '@keelson/telemetry-sentry',
];

interface PackageFile {
  readonly version?: string;
  readonly dependencies?: object;
  readonly optionalDependencies?: object;
  readonly peerDependencies?: object;
  readonly devDependencies?: object;
}

/** What the service in `directory` needs when it runs, by its `package.json`. */
export function runtimeDependencies(directory: string): string[] {
  const { dependencies, optionalDependencies } = packageFileOf(directory);
  return Object.keys({ ...dependencies, ...optionalDependencies });
}

/** Everything that its `package.json` names: what `npm install` brings without anybody naming it again. */
function declaredPackages(directory: string): string[] {
  return [...runtimeDependencies(directory), ...Object.keys(packageFileOf(directory).devDependencies ?? {})];
}

/**
 * Returns the package that an unknown name probably means: a dependency of the service, one of ours, or an installed
 * plugin. A package with a misspelled name may be an attack, so an ambiguous name gets no proposal.
 */
function meantPackage(given: string, directory: string): string | undefined {
  const known = [...declaredPackages(directory), ...ownPlugins];
  const isPlugin = (name: string) => slipOf(given, [name]) !== undefined && hasManifest(name, directory);
  return (
    slipOf(given, known) ?? withoutScope(given, known) ?? slipOf(given, installedNames(directory).filter(isPlugin))
  );
}

/** What to do about a package that is not installed. Who follows advice to install a misspelled name may run what a stranger has put there. */
export function installAdvice(name: string, directory: string): { readonly nearest?: string; readonly action: string } {
  if (declaredPackages(directory).includes(name)) return { action: 'It is in package.json; run: npm install' };
  if (ownPlugins.includes(name)) return { action: `Run: npm install ${name}` };
  const meant = meantPackage(name, directory);
  if (meant !== undefined) return { nearest: meant, action: `Write ${meant}.` };
  return { action: 'Check the name, then add the package to the dependencies in package.json and install it.' };
}

/** Names of packages are long: a third of their letters would be another package. */
function slipOf(given: string, names: readonly string[]): string | undefined {
  const others = names.filter(name => name !== given);
  return nearest(given, others, Math.max(2, Math.floor(given.length / 6)));
}

/** `retry-opossum` for `@keelson/retry-opossum`. */
function withoutScope(given: string, names: readonly string[]): string | undefined {
  return given.includes('/') ? undefined : names.find(name => name.endsWith(`/${given}`));
}

function hasManifest(name: string, directory: string): boolean {
  try {
    return findPackage(name, directory)?.manifest !== undefined;
  } catch {
    return false;
  }
}

function installedNames(directory: string): string[] {
  return upwards(directory).flatMap(folder => {
    const root = join(folder, 'node_modules');
    return namesIn(root).flatMap(name =>
      name.startsWith('@') ? namesIn(join(root, name)).map(below => `${name}/${below}`) : [name],
    );
  });
}

/** The closest `package.json`; the configuration may stand in a folder below it. */
function packageFileOf(directory: string): PackageFile {
  const folder = upwards(directory).find(each => existsSync(join(each, 'package.json')));
  return folder === undefined ? {} : readPackageFile(folder);
}

/** The `package.json` in `folder`; an empty one when it cannot be read. */
export function readPackageFile(folder: string): PackageFile {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageFile;
  } catch {
    return {};
  }
}

/** The folder and all folders above it, the closest first. */
export function upwards(directory: string): string[] {
  const above = dirname(directory);
  return above === directory ? [directory] : [directory, ...upwards(above)];
}
