import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Choice, type Chosen, chosenOf, defaults } from './choices.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const placeholders = { name: 'my-service', version: '0.0.0-keelson' };

/** npm leaves these files out of a package, whatever `files` says; the template has them under another name. */
const renamed: Readonly<Record<string, string>> = { gitignore: '.gitignore' };

export interface ServiceRequest {
  readonly name: string;
  readonly chosen: Chosen;
  /** Versions or files to install instead of what is published, by package: `{ '@keelson/core': 'file:/…/core.tgz' }`. */
  readonly packages?: Readonly<Record<string, string>>;
}

/** Returns the files of a new service, by path with slashes. */
export function serviceFiles(request: ServiceRequest): ReadonlyMap<string, string> {
  const folder = join(root, 'template');
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) =>
      join(parentPath, name)
        .slice(folder.length + 1)
        .split(sep)
        .join('/'),
    )
    .filter(path => !/^(node_modules|dist|\.data)\//.test(path))
    .toSorted();
  return new Map(
    paths.map(path => {
      const text = readFileSync(join(folder, path), 'utf8').replaceAll('\r\n', '\n');
      return [renamed[path] ?? path, fill(path, text, request)] as const;
    }),
  );
}

function fill(path: string, text: string, request: ServiceRequest): string {
  const change = changes[path] ?? (given => given);
  return change(text, request).replaceAll(placeholders.name, request.name);
}

type Change = (text: string, request: ServiceRequest) => string;

const changes: Readonly<Record<string, Change>> = {
  'package.json': packageFile,
  'keelson.yaml': configuration,
  'keelson.production.yaml': (text, { chosen }) =>
    text.replace('plugins:\n', ['plugins:\n', ...linesOf(chosen, 'productionLine')].join('')),
  '.env.example': (text, { chosen }) =>
    [text, ...chosenOf(chosen).flatMap(({ variables = [] }) => variables.map(line => `${line}\n`))].join(''),
  'pnpm-workspace.yaml': (text, { chosen }) =>
    [
      text,
      ...chosenOf(chosen).flatMap(({ builds = [] }) =>
        builds.map(([name, isAllowed]) => `  "${name}": ${isAllowed}\n`),
      ),
    ].join(''),
  'README.md': readme,
};

/** The lines of the defaults are what the template has. */
function configuration(text: string, { chosen }: ServiceRequest): string {
  const own = chosenOf(chosen);
  return chosenOf(defaults).reduce((made, { line: standard }, index) => {
    const line = own[index]?.line;
    if (standard === undefined || line === undefined) return made;
    if (!made.includes(standard)) throw new Error(`bug: the template has no line ${standard}`);
    return made.replace(standard, () => line);
  }, text);
}

function linesOf(chosen: Chosen, key: 'productionLine'): string[] {
  return chosenOf(chosen).flatMap(choice => (choice[key] === undefined ? [] : [`  ${choice[key]}\n`]));
}

interface PackageFile {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

function packageFile(text: string, request: ServiceRequest): string {
  const file: PackageFile = JSON.parse(text);
  const own = chosenOf(request.chosen);
  const replaced = new Set(chosenOf(defaults).flatMap(({ packages = [] }) => packages));
  const kept = Object.entries(file.dependencies).filter(([name]) => !replaced.has(name));
  const added = own.flatMap(({ packages = [] }) => packages.map(name => [name, '*'] as const));
  const forDevelopment = own.flatMap(({ devPackages = {} }) => Object.entries(devPackages));
  const made = {
    ...file,
    scripts: { ...file.scripts, ...mergedScripts(own) },
    dependencies: versioned([...kept, ...added], request),
    devDependencies: versioned([...Object.entries(file.devDependencies), ...forDevelopment], request),
    allowScripts: { ...file.allowScripts, ...Object.fromEntries(own.flatMap(({ builds = [] }) => builds)) },
  };
  return `${JSON.stringify(made, undefined, 2)}\n`;
}

function mergedScripts(own: readonly Choice[]): Readonly<Record<string, string>> {
  return Object.assign({}, ...own.map(({ scripts = {} }) => scripts));
}

function versioned(
  entries: readonly (readonly [string, string])[],
  { packages = {} }: ServiceRequest,
): Readonly<Record<string, string>> {
  const own = `^${ownVersion()}`;
  const versions = entries.map(([name, version]) => {
    const isOurs = version === '*' || version.endsWith(placeholders.version);
    return [name, packages[name] ?? (isOurs ? own : version)] as const;
  });
  return Object.fromEntries(versions.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** All packages of Keelson have one version. */
export function ownVersion(): string {
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return version;
}

/** Between `<!-- database: postgresql -->` and `<!-- end -->` stands what is true of that choice alone. */
function readme(text: string, { chosen }: ServiceRequest): string {
  return text.replaceAll(/<!-- (\w+): (\w+) -->\n([\s\S]*?)<!-- end -->\n/g, (_all, question, name, part) =>
    Object.entries(chosen).some(([key, value]) => key === question && value === name) ? part : '',
  );
}
