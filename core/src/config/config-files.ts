import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { type ReadFile, readModule } from './module-file.js';
import { nearest } from './nearest.js';
import { type MapNode, nodeOf } from './node.js';
import { displayPath } from './place.js';
import { type Findings, joinFindings, type Problem } from './problem.js';

export interface FilesRequest {
  /** A file, or the same content as an object. */
  readonly config: string | Readonly<Record<string, unknown>>;
  readonly environment: string | undefined;
  /** Where relative paths start when `config` is an object. Default: the working directory. */
  readonly directory?: string;
}

export interface ConfigFiles extends Findings {
  /** Lowest layer first; also those that are missing. */
  readonly files: readonly string[];
  readonly layers: readonly MapNode[];
  readonly directory: string;
  /** Those that have an overlay beside the file. */
  readonly environments: readonly string[];
}

/** Where a configuration is looked for when none is named; the first that is there. */
export const configFiles = ['keelson.yaml', 'keelson.yml', 'keelson.json', 'keelson.config.ts', 'keelson.config.js'];

/** Reads the file and its overlay, or takes the object that stands for them. */
export async function readFiles(request: FilesRequest): Promise<ConfigFiles> {
  if (typeof request.config !== 'string') {
    const layers = [nodeOf(request.config, { from: 'code' }) as MapNode];
    return { files: [], layers, directory: resolve(request.directory ?? '.'), environments: [], ...joinFindings() };
  }
  const file = resolve(request.config);
  const files = [file];
  if (request.environment !== undefined && request.environment !== '') files.push(overlayOf(file, request.environment));
  const environments = environmentsBeside(file);
  const read = await Promise.all(
    files.map((path): ReadFile | Promise<ReadFile> => {
      if (existsSync(path)) return readFile(path, path === file);
      const missing = path === file ? missingFile(path) : missingOverlay(path, request.environment ?? '', environments);
      return { problems: [missing] };
    }),
  );
  const layers = read.flatMap(({ node }) => node ?? []);
  const findings = joinFindings(...read, { warnings: ignoredBeside(file).map(name => ignored(name, file)) });
  return { files, layers, directory: dirname(file), environments, ...findings };
}

/** Files that a user may expect to be read: a second of the known file names, or `.yml` beside `.yaml`. */
function ignoredBeside(file: string): string[] {
  const name = basename(file);
  const extension = extname(name);
  const stem = basename(name, extension);
  const twin = { '.yaml': '.yml', '.yml': '.yaml' }[extension];
  // A module that was built stands beside its source.
  const others = configFiles.includes(name) && !stem.endsWith('.config') ? configFiles : [];
  return namesIn(dirname(file)).filter(
    each =>
      each !== name &&
      (others.includes(each) || (twin !== undefined && each.startsWith(`${stem}.`) && each.endsWith(twin))),
  );
}

function ignored(name: string, file: string): Problem {
  const place = { file: displayPath(join(dirname(file), name)) };
  return {
    code: 'CONFIG_FILE_IGNORED',
    message: `The file ${name} is not read: the configuration is ${basename(file)}, and its overlays end in ${extname(file)}.`,
    origin: { from: 'file', place },
    action: 'Rename the file, move its values to a file that is read, or delete it.',
  };
}

/** The names in `folder`, in their order; none when it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** `production` for each `keelson.production.yaml` beside `keelson.yaml`. */
function environmentsBeside(file: string): string[] {
  const extension = extname(file);
  const stem = `${basename(file, extension)}.`;
  return namesIn(dirname(file))
    .filter(name => name.startsWith(stem) && name.endsWith(extension) && name.length > stem.length + extension.length)
    .map(name => name.slice(stem.length, -extension.length));
}

/** A file that was mounted empty must not become a service that does nothing; an overlay may have nothing to change. */
function emptyFile(file: string, isBase: boolean): Partial<Findings> {
  const empty = { code: 'CONFIG_SYNTAX', origin: { from: 'file', place: { file } } } as const;
  if (isBase) {
    const action =
      'Check whether the file was mounted or written empty; a configuration begins with `service: <name>` and `plugins:`.';
    return { problems: [{ ...empty, message: 'The file holds no keys.', action }] };
  }
  const message = 'The file holds no keys, so this environment changes nothing.';
  return { warnings: [{ ...empty, message, action: 'Write the values that differ, or delete the file.' }] };
}

async function readFile(path: string, isBase: boolean): Promise<ReadFile> {
  const file = displayPath(path);
  const read = /\.[cm]?[jt]s$/.test(path) ? await readModule(path, file) : await readYaml(path, file);
  return read.node?.entries.size === 0 ? { ...read, ...joinFindings(read, emptyFile(file, isBase)) } : read;
}

async function readYaml(path: string, file: string): Promise<ReadFile> {
  try {
    // Here alone: a service that is configured in code or in TypeScript needs no parser.
    const { parseYaml } = await import('./yaml-file.js');
    return parseYaml(readFileSync(path, 'utf8'), file);
  } catch (error) {
    const problem: Problem = {
      code: 'CONFIG_FILE_UNREADABLE',
      message: `The file ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}).`,
      origin: { from: 'file', place: { file } },
      action: 'Use a file that the service can read.',
    };
    return { problems: [problem] };
  }
}

/** `keelson.yaml` and `production` -> `keelson.production.yaml`, beside it. */
function overlayOf(file: string, environment: string): string {
  const extension = extname(file);
  return join(dirname(file), `${basename(file, extension)}.${environment}${extension}`);
}

function missingFile(path: string): Problem {
  return {
    code: 'CONFIG_FILE_MISSING',
    message: `Configuration file ${path} was not found.`,
    origin: { from: 'file', place: { file: displayPath(path) } },
    action: 'Create it, or name another with --config.',
  };
}

function missingOverlay(path: string, environment: string, environments: readonly string[]): Problem {
  const shortened = (name: string) => name.startsWith(environment) || environment.startsWith(name);
  const meant = nearest(environment, environments) ?? environments.find(shortened);
  return {
    code: 'CONFIG_ENVIRONMENT_UNKNOWN',
    message: `The environment is ${environment}, but file ${displayPath(path)} was not found.`,
    origin: { from: 'file', place: { file: displayPath(path) } },
    ...(environments.length > 0 && { allowed: environments.join(', ') }),
    ...(meant !== undefined && { nearest: meant }),
    action: 'Create the file, or correct or remove KEELSON_ENV (or --environment).',
  };
}
