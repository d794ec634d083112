import { globSync, readFileSync } from 'node:fs';
import { dirname, join, matchesGlob, relative, resolve, sep } from 'node:path';
import { contractPackages, coreLayers } from './layers.js';

/** One `import`, `export ... from` or `import(...)` of a file; types count as much as values. */
export interface Import {
  /** Relative to the root of the repository, with slashes. */
  readonly file: string;
  /** As written: `./plan.js`, `pg`, `@keelson/core/testing`. */
  readonly specifier: string;
  /** The file of the repository that it names; undefined for a package or a module of Node. */
  readonly target: string | undefined;
}

/** A package of the repository: what its tests and its `package.json` do not say is not known of it. */
export interface SourcePackage {
  readonly name: string;
  /** `core`, `plugins/health`. */
  readonly folder: string;
  readonly imports: readonly Import[];
  /** By vendor, as patterns below the folder: the only files that may import it. */
  readonly vendors: Readonly<Record<string, readonly string[]>>;
}

const statement = /^[ \t]*(?:import|export)\b(?:[^'";]*?\bfrom)?\s*'([^']+)'/gm;
const dynamic = /\bimport\(\s*'([^']+)'/g;

/** Reads the shipped sources of a package: no tests, no fixtures. */
export function readPackage(root: string, folder: string): SourcePackage {
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const files = globSync(`${folder}/{src,bin}/**/*.{ts,js}`, { cwd: root })
    .map(file => file.split(sep).join('/'))
    .filter(file => !/\.(test|fixture|child)\.ts$/.test(file));
  return {
    name: manifest.name,
    folder,
    imports: files.flatMap(file => importsOf(file, readFileSync(join(root, file), 'utf8'))),
    vendors: manifest.keelson?.vendors ?? {},
  };
}

/** The imports that `source`, the text of `file`, declares. */
export function importsOf(file: string, source: string): Import[] {
  const specifiers = [...source.matchAll(statement), ...source.matchAll(dynamic)].map(
    ([, specifier = '']) => specifier,
  );
  return specifiers.map(specifier => ({ file, specifier, target: targetOf(file, specifier) }));
}

function targetOf(file: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const path = relative('.', resolve(dirname(file), specifier))
    .split(sep)
    .join('/');
  return path.replace(/\.js$/, '.ts');
}

/** The imports of core that go up the list of layers. The files beside the layers are the package's doors. */
export function upwardImports({ imports }: SourcePackage): string[] {
  return imports
    .filter(({ file, target }) => target !== undefined && layerOf(file) < layerOf(target))
    .map(({ file, target }) => `${file} -> ${target}`);
}

function layerOf(file: string): number {
  const [, , folder = '', ...inside] = file.split('/');
  const layer = coreLayers.indexOf(folder);
  if (layer === -1 && inside.length > 0) throw new Error(`core/src/${folder} is not in the list of layers`);
  return layer === -1 ? coreLayers.length : layer;
}

/** Groups of files that import each other, each in the order of the import graph. */
export function circles({ imports }: SourcePackage): string[][] {
  const arrows = Map.groupBy(
    imports.filter(({ target }) => target !== undefined),
    ({ file }) => file,
  );
  const found: string[][] = [];
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file]);
    if (finished.has(file) || path.includes(file)) return;
    for (const { target } of arrows.get(file) ?? []) if (target !== undefined) visit(target, [...path, file]);
    finished.add(file);
  };
  for (const file of arrows.keys()) visit(file, []);
  return found;
}

/** Imports of another implementation: a package of the repository that is not one of contracts. */
export function foreignImplementations({ name, imports }: SourcePackage): string[] {
  return imports
    .filter(({ specifier }) => specifier.startsWith('@keelson/'))
    .filter(({ specifier }) => ![name, ...contractPackages].includes(packageOf(specifier)))
    .map(({ file, specifier }) => `${file} -> ${specifier}`);
}

/** Imports of a vendor in a file that the package does not list for it. */
export function unlistedVendors({ folder, imports, vendors }: SourcePackage): string[] {
  return imports
    .filter(({ specifier }) => !/^(\.|node:|@keelson\/)/.test(specifier))
    .filter(({ file, specifier }) => {
      const patterns = vendors[packageOf(specifier)] ?? [];
      return !patterns.some(pattern => matchesGlob(file, `${folder}/${pattern}`));
    })
    .map(({ file, specifier }) => `${file} -> ${specifier}`);
}

/** Patterns that no import needs. */
export function unusedVendors({ folder, imports, vendors }: SourcePackage): string[] {
  return Object.entries(vendors).flatMap(([vendor, patterns]) =>
    patterns
      .filter(pattern => {
        const files = imports.filter(({ specifier }) => packageOf(specifier) === vendor).map(({ file }) => file);
        return !files.some(file => matchesGlob(file, `${folder}/${pattern}`));
      })
      .map(pattern => `${folder}: ${vendor} in ${pattern}`),
  );
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
